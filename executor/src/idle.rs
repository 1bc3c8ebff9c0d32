//! temp
use std::sync::Mutex;
pub(crate) enum WokenBy {
    Notifier,
    Itself,
}
pub(crate) struct Idle(Mutex<(Vec<usize>, usize, usize)>);
impl Idle {
    pub(crate) fn new(n: usize) -> Idle {
        Idle(Mutex::new((vec![], 0, n)))
    }
    pub(crate) fn notify_one(&self) -> Option<usize> {
        let mut s = self.0.lock().unwrap();
        if s.1 > 0 {
            return None;
        }
        let w = s.0.pop()?;
        s.1 += 1;
        Some(w)
    }
    pub(crate) fn start_search(&self) -> bool {
        let mut s = self.0.lock().unwrap();
        if s.1 * 2 >= s.2 {
            return false;
        }
        s.1 += 1;
        true
    }
    pub(crate) fn stop_search(&self) -> bool {
        let mut s = self.0.lock().unwrap();
        s.1 -= 1;
        s.1 == 0
    }
    pub(crate) fn sleep(&self, w: usize, searching: bool) {
        let mut s = self.0.lock().unwrap();
        s.0.push(w);
        if searching {
            s.1 -= 1
        }
    }
    pub(crate) fn wake_up(&self, w: usize) -> WokenBy {
        let mut s = self.0.lock().unwrap();
        match s.0.iter().position(|&x| x == w) {
            Some(p) => {
                s.0.swap_remove(p);
                WokenBy::Itself
            }
            None => WokenBy::Notifier,
        }
    }
}
