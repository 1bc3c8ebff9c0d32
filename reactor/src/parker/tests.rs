use super::*;

#[cfg(not(loom))]
#[test]
fn a_notify_is_sticky_and_rings_once() {
    let parker = Parker::new();
    assert_eq!(parker.notify(), Notify::Nothing, "the owner is awake");
    assert!(parker.is_notified());
    assert!(!parker.park());
    assert!(parker.unpark());
    assert!(parker.park());
    assert_eq!(parker.notify(), Notify::Ring);
    assert_eq!(parker.notify(), Notify::Nothing, "it was rung already");
    assert!(parker.unpark());
    assert!(!parker.unpark());
}

#[cfg(loom)]
mod models {
    use super::*;
    use crate::inbox::{Inbox, Message};
    use crate::slots::Key;
    use loom::thread;
    use std::sync::Arc;

    /// Whoever sleeps with mail unread was rung.
    #[test]
    fn loom_mail_is_never_slept_over() {
        loom::model(|| {
            let shared = Arc::new((Parker::new(), Inbox::new()));
            let sender = thread::spawn({
                let shared = Arc::clone(&shared);
                move || {
                    assert!(shared.1.push(Message::Release(Key::NONE)));
                    shared.0.notify()
                }
            });
            let (parker, inbox) = &*shared;
            let mut mail = Vec::new();
            inbox.take(&mut mail);
            let sleeps = mail.is_empty() && parker.park();
            if !mail.is_empty() || sleeps {
                let notify = sender.join().unwrap();
                assert!(!sleeps || notify == Notify::Ring);
                return;
            }
            // It was told not to sleep: then the mail is there.
            assert!(parker.unpark());
            inbox.take(&mut mail);
            assert_eq!(mail.len(), 1);
            let _ = sender.join().unwrap();
        });
    }

    /// Of two notifiers of a sleeper exactly one rings.
    #[test]
    fn loom_a_sleeper_is_rung_once() {
        loom::model(|| {
            let parker = Arc::new(Parker::new());
            assert!(parker.park());
            let other = thread::spawn({
                let parker = Arc::clone(&parker);
                move || parker.notify() == Notify::Ring
            });
            let rang = parker.notify() == Notify::Ring;
            assert!(rang ^ other.join().unwrap());
            assert!(parker.unpark());
        });
    }

    /// A notify that meets the end of a sleep ends that one or forbids the next.
    #[test]
    fn loom_a_notify_at_the_end_of_a_sleep_is_kept() {
        loom::model(|| {
            let parker = Arc::new(Parker::new());
            assert!(parker.park());
            let other = thread::spawn({
                let parker = Arc::clone(&parker);
                move || parker.notify()
            });
            // The sleep ended by itself: a timer.
            let first = parker.unpark();
            let notify = other.join().unwrap();
            let second = !parker.park();
            assert!(first ^ second, "heard once");
            assert_eq!(first, notify == Notify::Ring);
        });
    }
}
