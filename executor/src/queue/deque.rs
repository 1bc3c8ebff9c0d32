//! temp
use std::collections::VecDeque;
use std::ptr::NonNull;
use std::sync::{Arc, Mutex};
struct P<T>(NonNull<T>);
unsafe impl<T> Send for P<T> {}
type Q<T> = Arc<Mutex<VecDeque<P<T>>>>;
pub(crate) struct Owner<T>(Q<T>);
pub(crate) struct Stealer<T>(Q<T>);
pub(crate) fn new<T>(_n: usize) -> (Owner<T>, Stealer<T>) {
    let q: Q<T> = Arc::default();
    (Owner(q.clone()), Stealer(q))
}
impl<T> Owner<T> {
    pub(crate) fn push(&self, t: NonNull<T>) {
        self.0.lock().unwrap().push_back(P(t))
    }
    pub(crate) fn pop(&self) -> Option<NonNull<T>> {
        self.0.lock().unwrap().pop_front().map(|p| p.0)
    }
    pub(crate) fn len(&self) -> usize {
        self.0.lock().unwrap().len()
    }
    pub(crate) fn is_empty(&self) -> bool {
        self.len() == 0
    }
}
impl<T> Stealer<T> {
    pub(crate) fn is_empty(&self) -> bool {
        self.0.lock().unwrap().is_empty()
    }
    pub(crate) fn steal_into(&self, to: &Owner<T>) -> Option<NonNull<T>> {
        let mut q = self.0.lock().unwrap();
        let n = q.len().div_ceil(2);
        let mut v: VecDeque<P<T>> = q.drain(..n).collect();
        drop(q);
        let first = v.pop_front()?.0;
        to.0.lock().unwrap().extend(v);
        Some(first)
    }
}
