use super::*;

#[cfg(not(loom))]
#[test]
fn messages_come_in_order_until_it_is_closed() {
    let inbox = Inbox::new();
    let mut slots = crate::slots::Slots::new();
    let keys: Vec<Key> = (0..3).map(|n| slots.insert(n)).collect();
    for key in &keys[..2] {
        assert!(inbox.push(Message::Release(*key)));
    }
    let mut mail = Vec::new();
    inbox.take(&mut mail);
    inbox.take(&mut mail);
    assert_eq!(mail, [Message::Release(keys[0]), Message::Release(keys[1])]);
    assert!(inbox.push(Message::CancelOp(keys[2])));
    assert_eq!(inbox.close(), [Message::CancelOp(keys[2])]);
    assert!(!inbox.push(Message::Release(keys[0])));
}

#[cfg(loom)]
mod models {
    use super::*;
    use loom::thread;
    use std::sync::Arc;

    /// A message sent while the reactor ends is read by it or refused.
    #[test]
    fn loom_a_message_to_an_ending_reactor_is_read_or_refused() {
        loom::model(|| {
            let inbox = Arc::new(Inbox::new());
            let sender = thread::spawn({
                let inbox = Arc::clone(&inbox);
                move || inbox.push(Message::Release(Key::NONE))
            });
            let mut mail = Vec::new();
            inbox.take(&mut mail);
            mail.extend(inbox.close());
            assert_eq!(mail.len() == 1, sender.join().unwrap());
        });
    }

    /// No message is read twice or forgotten when two send at a time.
    #[test]
    fn loom_every_message_is_read_once() {
        loom::model(|| {
            let inbox = Arc::new(Inbox::new());
            let senders: Vec<_> = (0..2)
                .map(|_| {
                    let inbox = Arc::clone(&inbox);
                    thread::spawn(move || inbox.push(Message::Release(Key::NONE)))
                })
                .collect();
            let mut mail = Vec::new();
            inbox.take(&mut mail);
            for sender in senders {
                assert!(sender.join().unwrap());
            }
            inbox.take(&mut mail);
            assert_eq!(mail.len(), 2);
        });
    }
}
