//! What every leaf owes the executor: a budget, and what it waits for.

use crate::testing::poll;
use crate::{broadcast, mpsc, watch};
use std::fmt::Debug;
use wakeline_context::{Kind, Polling, budget};

/// The future waits, for a channel, at the line that made it.
fn waits_at<F: Future + Unpin>(line: u32, mut future: F)
where
    F::Output: Debug,
{
    let polling = Polling::begin();
    assert!(poll(&mut future).is_pending());
    let waiting = polling.end().expect("it says what it waits for");
    assert_eq!(
        (waiting.kind, waiting.location.line()),
        (Kind::Channel, line)
    );
    assert_ne!(waiting.id, 0);
}

#[test]
fn a_future_that_waits_says_for_what_and_where() {
    let (sender, mut receiver) = mpsc::channel(1);
    waits_at(line!(), receiver.recv());
    waits_at(line!(), receiver.recv_many(&mut Vec::new(), 1));
    waits_at(line!(), sender.closed());
    sender.try_send(1).unwrap();
    waits_at(line!(), sender.send(2));
    waits_at(line!(), sender.send_from(&mut Some(2)));
    waits_at(line!(), sender.reserve());
    waits_at(line!(), sender.clone().reserve_owned());
    let (sender, mut receiver) = watch::channel(1);
    waits_at(line!(), receiver.changed());
    waits_at(line!(), receiver.wait_for(|n| *n > 1));
    waits_at(line!(), sender.closed());
    let (_sender, mut receiver) = broadcast::channel::<u8>(1);
    waits_at(line!(), receiver.recv());
}

#[test]
fn a_poll_ends_when_its_budget_is_spent_and_nothing_is_lost_by_that() {
    let (sender, mut receiver) = mpsc::unbounded();
    let count = u32::from(budget::PER_POLL) * 2 + 1;
    for n in 0..count {
        sender.send(n).unwrap();
    }
    let mut received = Vec::new();
    let mut polls = 0;
    while received.len() < count as usize {
        let _poll = Polling::begin();
        while let std::task::Poll::Ready(value) = poll(&mut receiver.recv()) {
            received.extend(value);
            if received.len() == count as usize {
                break;
            }
        }
        polls += 1;
    }
    assert_eq!(polls, 3);
    assert!(received.into_iter().eq(0..count));
}

#[test]
fn a_send_that_waits_spends_nothing() {
    let (sender, mut receiver) = mpsc::channel(1);
    sender.try_send(0).unwrap();
    let _poll = Polling::begin();
    let mut send = sender.send(1);
    for _ in 0..1_000 {
        assert!(poll(&mut send).is_pending());
    }
    assert!(!budget::is_spent());
    assert_eq!(receiver.try_recv(), Ok(0));
    assert!(poll(&mut send).is_ready());
}

/// Whether it went by a push or by a wait, and whether it was sent or refused.
#[test]
fn a_send_that_is_polled_after_its_end_says_where_it_was_made() {
    let (sender, receiver) = mpsc::channel(2);
    let mut grows = sender.send(1);
    assert!(poll(&mut grows).is_ready());
    let mut pushes = sender.send(2);
    assert!(poll(&mut pushes).is_ready());
    let mut refused = sender.send(3);
    drop(receiver);
    assert!(poll(&mut refused).is_ready());
    for mut ended in [grows, pushes, refused] {
        let again = std::panic::AssertUnwindSafe(|| poll(&mut ended));
        let payload = std::panic::catch_unwind(again).unwrap_err();
        let text = *payload.downcast::<String>().expect("a text");
        assert!(text.contains("polled after its end"), "{text}");
        assert!(text.contains("leaf.rs"), "{text}");
    }
    assert!(sender.is_closed()); // and nothing is locked
}
