use super::*;

#[cfg(not(loom))]
mod unit {
    use super::*;
    use crate::testing::{Count, poll, poll_with};

    #[test]
    fn a_value_wakes_the_receiver_and_is_received_once() {
        let (sender, mut receiver) = channel();
        let (woken, waker) = Count::new();
        assert!(poll_with(&mut receiver, &waker).is_pending());
        assert_eq!(receiver.try_recv(), Err(TryRecvError::Empty));
        sender.send(7).unwrap();
        assert_eq!(woken.get(), 1);
        assert_eq!(poll(&mut receiver), Poll::Ready(Ok(7)));
        assert_eq!(receiver.try_recv(), Err(TryRecvError::Closed));
    }

    #[test]
    fn a_sender_that_is_dropped_ends_the_wait() {
        let (sender, mut receiver) = channel::<()>();
        let (woken, waker) = Count::new();
        assert!(poll_with(&mut receiver, &waker).is_pending());
        drop(sender);
        assert_eq!(woken.get(), 1);
        assert_eq!(poll(&mut receiver), Poll::Ready(Err(RecvError(()))));
    }

    #[test]
    fn a_send_in_vain_gives_the_value_back() {
        let (sender, receiver) = channel();
        drop(receiver);
        assert!(sender.is_closed());
        assert_eq!(sender.send("value"), Err("value"));
        let (sender, mut receiver) = channel();
        receiver.close();
        assert_eq!(sender.send("value"), Err("value"));
        assert_eq!(poll(&mut receiver), Poll::Ready(Err(RecvError(()))));
    }

    #[test]
    fn a_value_sent_before_the_close_can_be_received() {
        let (sender, mut receiver) = channel();
        sender.send(7).unwrap();
        receiver.close();
        assert_eq!(receiver.try_recv(), Ok(7));
    }

    #[test]
    fn the_sender_is_woken_by_a_close_and_by_a_drop() {
        for close in [true, false] {
            let (mut sender, mut receiver) = channel::<()>();
            let (woken, waker) = Count::new();
            let mut closed = sender.closed();
            assert!(poll_with(&mut closed, &waker).is_pending());
            if close {
                receiver.close();
            } else {
                drop(receiver);
            }
            assert_eq!(woken.get(), 1);
            assert!(poll(&mut closed).is_ready());
        }
    }

    #[test]
    fn a_closed_receiver_that_has_seen_its_end_takes_its_waker_along() {
        for polls in [true, false] {
            let (sender, mut receiver) = channel::<()>();
            let (count, waker) = Count::new();
            assert!(poll_with(&mut receiver, &waker).is_pending());
            receiver.close();
            if polls {
                assert!(poll_with(&mut receiver, &waker).is_ready());
            } else {
                assert_eq!(receiver.try_recv(), Err(TryRecvError::Closed));
            }
            drop(receiver);
            drop(waker);
            assert_eq!(Arc::strong_count(&count), 1, "the sender has it");
            drop(sender);
        }
    }

    #[test]
    fn the_receiver_that_changed_tasks_wakes_the_later_one() {
        let (sender, mut receiver) = channel();
        let ((old_woken, old), (new_woken, new)) = (Count::new(), Count::new());
        assert!(poll_with(&mut receiver, &old).is_pending());
        assert!(poll_with(&mut receiver, &new).is_pending());
        sender.send(()).unwrap();
        assert_eq!((old_woken.get(), new_woken.get()), (0, 1));
    }

    #[test]
    fn a_value_that_is_not_taken_goes_with_the_receiver() {
        let (inner, value) = channel::<()>();
        let (sender, receiver) = channel();
        assert!(sender.send(value).is_ok());
        assert!(!inner.is_closed());
        drop(receiver);
        assert!(inner.is_closed());
    }
}

/// Send and receive at once: the value arrives.
#[cfg(loom)]
#[test]
fn loom_a_value_is_never_missed() {
    loom::model(|| {
        let (sender, receiver) = channel();
        let other = loom::thread::spawn(move || sender.send(7).unwrap());
        assert_eq!(loom::future::block_on(receiver), Ok(7));
        other.join().unwrap();
    });
}

/// A send that races with a close: the value is at exactly one of the two.
#[cfg(loom)]
#[test]
fn loom_a_value_is_at_one_of_the_ends() {
    loom::model(|| {
        let (sender, mut receiver) = channel();
        let other = loom::thread::spawn(move || sender.send(7).is_ok());
        receiver.close();
        let received = receiver.try_recv().is_ok();
        let sent = other.join().unwrap();
        // Sent before the close, the value may come after the look at it.
        assert_eq!(sent, received);
    });
}

/// The sender goes while the receiver is about to wait: it sees the end.
#[cfg(loom)]
#[test]
fn loom_a_sender_that_goes_is_never_missed() {
    loom::model(|| {
        let (sender, receiver) = channel::<u8>();
        let other = loom::thread::spawn(move || drop(sender));
        assert_eq!(loom::future::block_on(receiver), Err(RecvError(())));
        other.join().unwrap();
    });
}

/// The receiver goes while the sender is about to wait for that.
#[cfg(loom)]
#[test]
fn loom_a_receiver_that_goes_is_never_missed() {
    loom::model(|| {
        let (mut sender, receiver) = channel::<u8>();
        let other = loom::thread::spawn(move || drop(receiver));
        loom::future::block_on(sender.closed());
        other.join().unwrap();
    });
}
