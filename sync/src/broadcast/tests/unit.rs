//! Positions, lag, the end, and values that use their own channel.

use crate::broadcast::{Receiver, RecvError, SendError, Sender, TryRecvError, channel};
use crate::testing::{Count, poll, poll_with};
use proptest::prelude::*;
use std::collections::VecDeque;
use std::sync::Arc;
use std::task::{Context, Poll};

#[test]
fn everyone_gets_everything_sent_since_it_came() {
    let (sender, mut one) = channel(4);
    assert_eq!(sender.send(1), Ok(1));
    let mut two = sender.subscribe();
    let mut three = one.resubscribe();
    assert_eq!(sender.send(2), Ok(3));
    assert_eq!((one.len(), two.len(), sender.len()), (2, 1, 2));
    assert_eq!((one.try_recv(), one.try_recv()), (Ok(1), Ok(2)));
    assert_eq!((two.try_recv(), three.try_recv()), (Ok(2), Ok(2)));
    assert_eq!(one.try_recv(), Err(TryRecvError::Empty));
    assert!(sender.is_empty() && one.is_empty());
    assert!(one.same_channel(&two) && sender.same_channel(&sender.clone()));
}

#[test]
fn a_slow_receiver_is_told_and_goes_on_with_the_oldest_left() {
    let (sender, mut slow) = channel(2);
    let mut quick = sender.subscribe();
    for n in 0..5 {
        sender.send(n).unwrap();
        assert_eq!(quick.try_recv(), Ok(n));
    }
    assert_eq!((slow.len(), sender.len()), (5, 2));
    assert_eq!(
        poll(&mut slow.recv()),
        Poll::Ready(Err(RecvError::Lagged(3)))
    );
    assert_eq!(poll(&mut slow.recv()), Poll::Ready(Ok(3)));
    sender.send(5).unwrap();
    assert_eq!(poll(&mut slow.recv()), Poll::Ready(Ok(4)));
    assert_eq!(poll(&mut slow.recv()), Poll::Ready(Ok(5)));
    assert!(poll(&mut slow.recv()).is_pending());
}

#[test]
fn who_lags_at_the_end_still_gets_the_rest() {
    let (sender, mut receiver) = channel(1);
    sender.send(1).unwrap();
    sender.send(2).unwrap();
    drop(sender);
    assert!(receiver.is_closed());
    assert_eq!(
        poll(&mut receiver.recv()),
        Poll::Ready(Err(RecvError::Lagged(1)))
    );
    assert_eq!(poll(&mut receiver.recv()), Poll::Ready(Ok(2)));
    assert_eq!(
        poll(&mut receiver.recv()),
        Poll::Ready(Err(RecvError::Closed))
    );
    assert_eq!(receiver.try_recv(), Err(TryRecvError::Closed));
    assert_eq!(receiver.resubscribe().try_recv(), Err(TryRecvError::Closed));
}

#[test]
fn a_value_wakes_everyone_who_waits_and_the_end_does_too() {
    let (sender, mut one) = channel(2);
    let mut two = sender.subscribe();
    let other = sender.clone();
    let (woken, waker) = Count::new();
    let (mut first, mut second) = (one.recv(), two.recv());
    assert!(poll_with(&mut first, &waker).is_pending());
    assert!(poll_with(&mut second, &waker).is_pending());
    sender.send(7).unwrap();
    assert_eq!(woken.get(), 2);
    assert_eq!(poll(&mut first), Poll::Ready(Ok(7)));
    drop((first, second)); // the second never saw that it was woken
    assert_eq!(two.try_recv(), Ok(7));
    let (mut first, mut second) = (one.recv(), two.recv());
    assert!(poll_with(&mut first, &waker).is_pending());
    assert!(poll_with(&mut second, &waker).is_pending());
    drop(sender);
    assert_eq!(woken.get(), 2);
    drop(other);
    assert_eq!(woken.get(), 4);
    assert_eq!(poll(&mut first), Poll::Ready(Err(RecvError::Closed)));
}

#[test]
fn a_receiver_that_is_dropped_while_a_poll_function_waits_leaves_no_waker() {
    let (sender, mut receiver) = channel::<u8>(1);
    let (woken, waker) = Count::new();
    let mut cx = Context::from_waker(&waker);
    for _ in 0..3 {
        assert!(receiver.poll_recv(&mut cx).is_pending());
        assert_eq!(Arc::strong_count(&woken), 3, "one is kept");
    }
    drop(receiver);
    assert_eq!(Arc::strong_count(&woken), 2);
    drop(sender);
    assert_eq!(woken.get(), 0);
}

#[test]
fn the_latest_waker_is_the_one_that_is_woken_and_none_is_left() {
    let (sender, mut receiver) = channel(2);
    let ((old_woken, old), (new_woken, new)) = (Count::new(), Count::new());
    let mut recv = receiver.recv();
    assert!(poll_with(&mut recv, &old).is_pending());
    assert!(poll_with(&mut recv, &new).is_pending());
    sender.send(1).unwrap();
    assert_eq!((old_woken.get(), new_woken.get()), (0, 1));
    assert_eq!(poll(&mut recv), Poll::Ready(Ok(1)));
    assert!(poll_with(&mut recv, &new).is_pending());
    drop(recv);
    assert_eq!(Arc::strong_count(&new_woken), 2);
}

#[test]
fn a_value_for_nobody_comes_back() {
    let (sender, receiver) = channel(2);
    drop(receiver);
    assert_eq!(sender.send("kept"), Err(SendError("kept")));
    assert_eq!(sender.receiver_count(), 0);
    let mut late = sender.subscribe();
    assert_eq!(sender.send("sent"), Ok(1));
    assert_eq!(late.try_recv(), Ok("sent"));
}

#[test]
fn a_value_is_dropped_when_nobody_needs_it() {
    let value = Arc::new(());
    let (sender, mut one) = channel(4);
    let two = sender.subscribe();
    for _ in 0..3 {
        sender.send(Arc::clone(&value)).unwrap();
    }
    drop(one.try_recv());
    assert_eq!(Arc::strong_count(&value), 4); // the second has not come yet
    drop(two);
    assert_eq!(Arc::strong_count(&value), 3);
    drop(one);
    assert_eq!(Arc::strong_count(&value), 1);
    assert!(sender.is_empty());
}

#[test]
#[should_panic(expected = "must keep a value")]
fn a_capacity_of_zero_is_refused() {
    let _ = channel::<u8>(0);
}

#[test]
fn the_last_to_come_gets_the_value_itself() {
    #[derive(Debug)]
    struct Once(bool);
    impl Clone for Once {
        fn clone(&self) -> Once {
            Once(true)
        }
    }
    let (sender, mut one) = channel(1);
    let mut two = sender.subscribe();
    sender.send(Once(false)).unwrap();
    assert!(one.try_recv().unwrap().0);
    assert!(!two.try_recv().unwrap().0);
}

/// Sends into its own channel when it is cloned and when it is dropped.
struct Nosy(Option<Sender<Nosy>>);

impl Clone for Nosy {
    fn clone(&self) -> Nosy {
        if let Some(sender) = &self.0 {
            let _ = sender.send(Nosy(None));
        }
        Nosy(None)
    }
}

impl Drop for Nosy {
    fn drop(&mut self) {
        if let Some(sender) = self.0.take() {
            let _ = sender.send(Nosy(None));
        }
    }
}

#[test]
fn a_value_may_use_its_own_channel_when_it_is_cloned_or_dropped() {
    let (sender, mut one) = channel(1);
    let two = sender.subscribe();
    sender.send(Nosy(Some(sender.clone()))).unwrap();
    // The clone sends, which pushes the original out, and that sends as well.
    assert!(one.try_recv().is_ok());
    assert_eq!(one.len(), 2);
    sender.send(Nosy(Some(sender.clone()))).unwrap();
    drop(two);
    drop(one);
    assert_eq!(sender.len(), 0);
}

#[test]
fn a_waker_may_use_the_channel_when_it_is_dropped() {
    struct SendsOnDrop(Sender<u8>);
    impl std::task::Wake for SendsOnDrop {
        fn wake(self: Arc<Self>) {}
    }
    impl Drop for SendsOnDrop {
        fn drop(&mut self) {
            let _ = self.0.send(9);
        }
    }
    for polled_again in [false, true] {
        let (sender, mut receiver) = channel(4);
        let waker = std::task::Waker::from(Arc::new(SendsOnDrop(sender.clone())));
        let mut recv = receiver.recv();
        assert!(poll_with(&mut recv, &waker).is_pending());
        drop(waker);
        if polled_again {
            assert!(poll(&mut recv).is_pending());
        } else {
            sender.send(1).unwrap();
        }
        drop(recv);
        assert_eq!(receiver.len(), if polled_again { 1 } else { 2 });
    }
}

#[derive(Clone, Debug)]
enum Step {
    Send,
    Recv(usize),
    Subscribe,
    Drop(usize),
}

fn steps() -> impl Strategy<Value = (usize, Vec<Step>)> {
    let step = prop_oneof![
        6 => Just(Step::Send),
        8 => any::<usize>().prop_map(Step::Recv),
        1 => Just(Step::Subscribe),
        1 => any::<usize>().prop_map(Step::Drop),
    ];
    (1_usize..6, proptest::collection::vec(step, 1..200))
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(if cfg!(miri) { 4 } else { 500 }))]

    /// The model: a queue for each receiver, cut at the capacity.
    #[test]
    fn each_receiver_has_a_queue_of_its_own((capacity, steps) in steps()) {
        let (sender, first) = channel(capacity);
        let mut all: Vec<(Receiver<u32>, VecDeque<u32>)> = vec![(first, VecDeque::new())];
        for (value, step) in (0..).zip(steps) {
            match step {
                Step::Send => {
                    let expected = if all.is_empty() {
                        Err(SendError(value))
                    } else {
                        Ok(all.len())
                    };
                    prop_assert_eq!(sender.send(value), expected);
                    all.iter_mut().for_each(|(_, queue)| queue.push_back(value));
                }
                Step::Recv(at) if !all.is_empty() => {
                    let at = at % all.len();
                    let (receiver, queue) = &mut all[at];
                    prop_assert_eq!(receiver.len(), queue.len());
                    let missed = queue.len().saturating_sub(capacity);
                    let expected = if missed > 0 {
                        queue.drain(..missed);
                        Err(TryRecvError::Lagged(missed as u64))
                    } else {
                        queue.pop_front().ok_or(TryRecvError::Empty)
                    };
                    prop_assert_eq!(receiver.try_recv(), expected);
                }
                Step::Subscribe => all.push((sender.subscribe(), VecDeque::new())),
                Step::Drop(at) if !all.is_empty() => drop(all.remove(at % all.len())),
                Step::Recv(_) | Step::Drop(_) => {}
            }
            let kept = all.iter().map(|(_, queue)| queue.len()).max().unwrap_or(0);
            prop_assert_eq!(sender.len(), kept.min(capacity));
        }
    }
}
