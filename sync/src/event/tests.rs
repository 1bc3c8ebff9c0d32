use super::*;

#[cfg(not(loom))]
mod unit {
    use super::*;
    use crate::testing::{Count, poll, poll_with};

    #[test]
    fn everyone_who_waited_at_the_set_goes_on_though_it_is_cleared_at_once() {
        let event = Event::new();
        let (woken, waker) = Count::new();
        let mut waits: Vec<Wait<'_>> = (0..3).map(|_| event.wait()).collect();
        for wait in &mut waits {
            assert!(poll_with(wait, &waker).is_pending());
        }
        event.set();
        event.set(); // wakes nobody twice
        event.clear();
        assert_eq!(woken.get(), 3);
        assert!(
            poll(&mut event.wait()).is_pending(),
            "it came after the clear"
        );
        assert!(waits.iter_mut().all(|wait| poll(wait).is_ready()));
    }

    #[test]
    fn a_set_event_is_ready_at_once() {
        let event = Event::default();
        event.set();
        assert!(event.is_set());
        assert!(poll(&mut event.wait()).is_ready());
    }

    #[test]
    fn a_wait_that_was_dropped_is_not_woken() {
        let event = Event::new();
        let (woken, waker) = Count::new();
        let mut wait = event.wait();
        assert!(poll_with(&mut wait, &waker).is_pending());
        drop(wait);
        event.set();
        assert_eq!(woken.get(), 0);
    }

    #[test]
    fn only_the_latest_waker_is_woken() {
        let event = Event::new();
        let ((old_woken, old), (new_woken, new)) = (Count::new(), Count::new());
        let mut wait = event.wait();
        assert!(poll_with(&mut wait, &old).is_pending());
        assert!(poll_with(&mut wait, &new).is_pending());
        event.set();
        assert_eq!((old_woken.get(), new_woken.get()), (0, 1));
    }
}

/// A set that races with a wait on its way into the queue is not missed, and
/// what came before the set is seen.
#[cfg(loom)]
#[test]
fn loom_a_set_is_never_missed() {
    use loom::sync::Arc;
    use loom::sync::atomic::AtomicUsize;

    loom::model(|| {
        let event = Arc::new(Event::new());
        let written = Arc::new(AtomicUsize::new(0));
        let other = loom::thread::spawn({
            let (event, written) = (event.clone(), written.clone());
            move || {
                written.store(1, Ordering::Relaxed);
                event.set();
            }
        });
        loom::future::block_on(event.wait());
        assert_eq!(written.load(Ordering::Relaxed), 1);
        other.join().unwrap();
    });
}

/// Set and clear in one breath let go whoever waited at the set.
#[cfg(loom)]
#[test]
fn loom_a_clear_does_not_take_back_a_set() {
    use loom::sync::Arc;

    loom::model(|| {
        let event = Arc::new(Event::new());
        let mut wait = event.wait();
        let mut cx = Context::from_waker(std::task::Waker::noop());
        assert!(Pin::new(&mut wait).poll(&mut cx).is_pending());
        let other = loom::thread::spawn({
            let event = event.clone();
            move || {
                event.set();
                event.clear();
            }
        });
        loom::future::block_on(wait);
        other.join().unwrap();
    });
}
