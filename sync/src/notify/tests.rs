use super::*;

#[cfg(not(loom))]
mod unit {
    use super::*;
    use crate::testing::{Count, poll, poll_with};

    #[test]
    fn at_most_one_notification_is_stored() {
        let notify = Notify::new();
        notify.notify_one();
        notify.notify_one();
        assert!(poll(&mut notify.notified()).is_ready());
        assert!(poll(&mut notify.notified()).is_pending());
    }

    #[test]
    fn notify_one_wakes_in_the_order_of_arrival() {
        let notify = Notify::new();
        let (mut first, mut second) = (notify.notified(), notify.notified());
        assert!(poll(&mut first).is_pending() && poll(&mut second).is_pending());
        notify.notify_one();
        assert!(poll(&mut second).is_pending());
        assert!(poll(&mut first).is_ready());
    }

    #[test]
    fn a_notification_that_was_not_seen_goes_to_the_next_or_is_stored() {
        let notify = Notify::new();
        let (woken, waker) = Count::new();
        let (mut first, mut second) = (notify.notified(), notify.notified());
        assert!(poll(&mut first).is_pending() && poll_with(&mut second, &waker).is_pending());
        notify.notify_one();
        drop(first);
        assert_eq!(woken.get(), 1);
        drop(second);
        assert!(poll(&mut notify.notified()).is_ready(), "stored");
        assert!(poll(&mut notify.notified()).is_pending(), "once");
    }

    #[test]
    fn notify_waiters_stores_nothing_and_a_drop_hands_nothing_on() {
        let notify = Notify::new();
        notify.notify_waiters();
        let (mut first, mut second) = (notify.notified(), notify.notified());
        assert!(poll(&mut first).is_pending() && poll(&mut second).is_pending());
        notify.notify_waiters();
        drop(first);
        assert!(poll(&mut second).is_ready());
        assert!(poll(&mut notify.notified()).is_pending());
    }

    #[test]
    fn a_single_notification_survives_a_notify_waiters_in_between() {
        let notify = Notify::new();
        let (mut first, mut second) = (notify.notified(), notify.notified());
        assert!(poll(&mut first).is_pending() && poll(&mut second).is_pending());
        notify.notify_one();
        notify.notify_waiters();
        drop(second); // was notified with all: nothing to hand on
        drop(first); // was notified alone
        assert!(poll(&mut notify.notified()).is_ready());
        assert!(poll(&mut notify.notified()).is_pending());
    }

    #[test]
    fn a_future_made_before_notify_waiters_is_notified_though_not_polled() {
        let notify = Notify::new();
        let mut made = notify.notified();
        notify.notify_waiters();
        assert!(poll(&mut made).is_ready());
        let mut later = notify.notified();
        assert!(poll(&mut later).is_pending());
    }

    #[test]
    fn an_enabled_future_has_its_place_before_it_is_polled() {
        let notify = Notify::new();
        let (mut first, mut second) = (notify.notified(), notify.notified());
        assert!(!first.enable());
        assert!(poll(&mut second).is_pending());
        notify.notify_one();
        assert!(first.enable());
        assert!(poll(&mut second).is_pending());
        assert!(poll(&mut first).is_ready());
        assert!(notify.list.lock().state().unseen.is_empty());
    }

    #[test]
    fn a_waker_may_drop_another_waiter_of_the_same_notify() {
        use std::cell::RefCell;
        use std::sync::{Arc, LazyLock};
        use std::task::Wake;

        thread_local! {
            static OTHER: RefCell<Option<Notified<'static>>> = const { RefCell::new(None) };
        }
        struct DropsOther;
        impl Wake for DropsOther {
            fn wake(self: Arc<Self>) {
                drop(OTHER.take());
            }
        }
        static NOTIFY: LazyLock<Notify> = LazyLock::new(Notify::new);
        let mut first = NOTIFY.notified();
        assert!(poll_with(&mut first, &Waker::from(Arc::new(DropsOther))).is_pending());
        let mut other = NOTIFY.notified();
        assert!(poll(&mut other).is_pending());
        OTHER.set(Some(other));
        NOTIFY.notify_waiters();
        assert!(OTHER.take().is_none());
        assert!(poll(&mut first).is_ready());
    }
}

/// Two notifications, two waiters, one of which gives up: one notification is
/// left for whoever comes.
#[cfg(loom)]
#[test]
fn loom_a_notification_is_never_lost_by_giving_up() {
    use loom::sync::Arc;

    loom::model(|| {
        let notify = Arc::new(Notify::new());
        let mut gives_up = notify.notified();
        let mut cx = Context::from_waker(Waker::noop());
        assert!(Pin::new(&mut gives_up).poll(&mut cx).is_pending());
        let other = loom::thread::spawn({
            let notify = notify.clone();
            move || notify.notify_one()
        });
        drop(gives_up);
        loom::future::block_on(notify.notified());
        other.join().unwrap();
    });
}

/// Condition set, then all notified; condition looked at, then awaited.
#[cfg(loom)]
#[test]
fn loom_look_then_wait_misses_no_notify_waiters() {
    use loom::sync::Arc;
    use loom::sync::atomic::AtomicBool;

    loom::model(|| {
        let notify = Arc::new(Notify::new());
        let condition = Arc::new(AtomicBool::new(false));
        let other = loom::thread::spawn({
            let (notify, condition) = (notify.clone(), condition.clone());
            move || {
                condition.store(true, Ordering::Release);
                notify.notify_waiters();
            }
        });
        loop {
            let notified = notify.notified();
            if condition.load(Ordering::Acquire) {
                break;
            }
            loom::future::block_on(notified);
        }
        other.join().unwrap();
    });
}
