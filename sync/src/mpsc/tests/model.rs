//! Against a dull model: a `VecDeque`, a list of slots and a queue of names.

use crate::mpsc::{Permit, Send, TryRecvError, TrySendError, channel};
use crate::testing::{Count, poll, poll_with};
use proptest::prelude::*;
use std::collections::VecDeque;
use std::sync::Arc;
use std::task::Poll;
use wakeline_context::replace_home;

#[derive(Clone, Debug)]
enum Step {
    TrySend,
    /// A send that is polled once.
    Send,
    /// Polls the n-th of the sends that wait.
    Poll(usize),
    /// Drops it, or takes its value back.
    GiveUp(usize, bool),
    Reserve,
    UsePermit(usize),
    DropPermit(usize),
    TryRecv,
    Close,
}

/// A capacity, and steps, each in one of two homes or in none.
fn steps() -> impl Strategy<Value = (usize, Vec<(usize, Step)>)> {
    let at = any::<usize>;
    let step = prop_oneof![
        4 => Just(Step::TrySend),
        8 => Just(Step::Send),
        6 => at().prop_map(Step::Poll),
        3 => (at(), any::<bool>()).prop_map(|(n, back)| Step::GiveUp(n, back)),
        2 => Just(Step::Reserve),
        2 => at().prop_map(Step::UsePermit),
        2 => at().prop_map(Step::DropPermit),
        9 => Just(Step::TryRecv),
        1 => prop_oneof![30 => Just(Step::TryRecv), 1 => Just(Step::Close)],
    ];
    let at_home = (0_usize..3, step);
    (1_usize..5, proptest::collection::vec(at_home, 1..200))
}

/// What should be; senders are known by their value.
#[derive(Default)]
struct Model {
    capacity: usize,
    buffer: VecDeque<u32>,
    queue: VecDeque<u32>,
    promised: Vec<u32>,
    permits: usize,
    closed: bool,
}

impl Model {
    fn room(&self) -> usize {
        self.capacity - self.buffer.len() - self.promised.len() - self.permits
    }

    fn settle(&mut self) {
        while self.room() > 0
            && let Some(front) = self.queue.pop_front()
        {
            self.promised.push(front);
        }
    }

    fn leave(&mut self, value: u32) {
        self.queue.retain(|&other| other != value);
        self.promised.retain(|&other| other != value);
        self.settle();
    }
}

/// A send that waits, and how often it was woken.
type Waiting<'a> = (u32, Send<'a, u32>, Arc<Count>);

fn run(capacity: usize, steps: Vec<(usize, Step)>) -> Result<(), TestCaseError> {
    let (sender, mut receiver) = channel(capacity);
    let mut model = Model {
        capacity,
        ..Model::default()
    };
    let mut waiting: Vec<Waiting<'_>> = Vec::new();
    let mut permits: Vec<Permit<'_, u32>> = Vec::new();
    for (value, (home, step)) in (0..).zip(steps) {
        replace_home(home);
        let free = !model.closed && model.room() > 0;
        match step {
            Step::TrySend => {
                let expected = match (model.closed, free) {
                    (true, _) => Err(TrySendError::Closed(value)),
                    (_, false) => Err(TrySendError::Full(value)),
                    (_, true) => {
                        model.buffer.push_back(value);
                        Ok(())
                    }
                };
                prop_assert_eq!(sender.try_send(value), expected);
            }
            Step::Send => {
                let mut send = sender.send(value);
                let (count, waker) = Count::new();
                match poll_with(&mut send, &waker) {
                    Poll::Ready(Ok(())) => {
                        prop_assert!(free);
                        model.buffer.push_back(value);
                    }
                    Poll::Ready(Err(error)) => {
                        prop_assert!(model.closed);
                        prop_assert_eq!(error.0, value);
                    }
                    Poll::Pending => {
                        prop_assert!(!model.closed && !free);
                        model.queue.push_back(value);
                        waiting.push((value, send, count));
                    }
                }
            }
            Step::Poll(at) if !waiting.is_empty() => {
                let at = at % waiting.len();
                let (value, send, _) = &mut waiting[at];
                let value = *value;
                let promised = model.promised.contains(&value);
                match poll(send) {
                    Poll::Ready(Ok(())) => {
                        prop_assert!(promised);
                        model.promised.retain(|&other| other != value);
                        model.buffer.push_back(value);
                        drop(waiting.remove(at));
                    }
                    Poll::Ready(Err(error)) => {
                        prop_assert!(model.closed && !promised);
                        prop_assert_eq!(error.0, value);
                        drop(waiting.remove(at));
                    }
                    Poll::Pending => {
                        prop_assert!(!model.closed && !promised);
                        // The waker is a blind one from now on.
                        waiting[at].2 = Count::new().0;
                        let (_, send, count) = &mut waiting[at];
                        let waker = std::task::Waker::from(Arc::clone(count));
                        prop_assert!(poll_with(send, &waker).is_pending());
                    }
                }
            }
            Step::GiveUp(at, back) if !waiting.is_empty() => {
                let (value, send, _) = waiting.remove(at % waiting.len());
                if back {
                    prop_assert_eq!(send.into_inner(), Some(value));
                } else {
                    drop(send);
                }
                model.leave(value);
            }
            Step::Reserve => match sender.try_reserve() {
                Ok(permit) => {
                    prop_assert!(free);
                    model.permits += 1;
                    permits.push(permit);
                }
                Err(TrySendError::Full(())) => prop_assert!(!model.closed && !free),
                Err(TrySendError::Closed(())) => prop_assert!(model.closed),
            },
            Step::UsePermit(at) if !permits.is_empty() => {
                permits.remove(at % permits.len()).send(value);
                model.permits -= 1;
                model.buffer.push_back(value);
            }
            Step::DropPermit(at) if !permits.is_empty() => {
                drop(permits.remove(at % permits.len()));
                model.permits -= 1;
                model.settle();
            }
            Step::TryRecv => {
                let expected = model.buffer.pop_front().ok_or({
                    if model.closed && model.permits == 0 && model.promised.is_empty() {
                        TryRecvError::Disconnected
                    } else {
                        TryRecvError::Empty
                    }
                });
                model.settle();
                prop_assert_eq!(receiver.try_recv(), expected);
            }
            Step::Close => {
                receiver.close();
                model.closed = true;
                model.queue.clear();
            }
            Step::Poll(_) | Step::GiveUp(..) | Step::UsePermit(_) | Step::DropPermit(_) => {}
        }
        prop_assert_eq!(receiver.len(), model.buffer.len());
        let room = if model.closed { 0 } else { model.room() };
        prop_assert_eq!(sender.capacity(), room);
        // Who can go on has been woken, and nobody else.
        for (value, _, count) in &waiting {
            let due = !model.queue.contains(value);
            prop_assert_eq!(count.get(), usize::from(due), "value {}", value);
        }
    }
    Ok(())
}

/// From hand to hand: every value is received once or comes back, whoever is
/// there first and whoever gives up.
fn nothing_is_lost(rounds: &[(bool, bool, bool)]) {
    let value = Arc::new(());
    let (sender, mut receiver) = channel(0);
    let (mut received, mut back) = (0, 0);
    for &(receiver_first, again, late) in rounds {
        let mut send = sender.send(Arc::clone(&value));
        let mut recv = receiver.recv();
        let mut here = receiver_first && poll(&mut recv).is_ready();
        let mut sent = poll(&mut send).is_ready();
        here = here || (again && poll(&mut recv).is_ready());
        drop(recv);
        sent = sent || (late && poll(&mut send).is_ready());
        let returned = send.into_inner().is_some();
        assert_ne!(sent, returned);
        received += usize::from(here);
        back += usize::from(returned);
    }
    while receiver.try_recv().is_ok() {
        received += 1;
    }
    assert_eq!(received + back, rounds.len());
    assert_eq!(Arc::strong_count(&value), 1);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(if cfg!(miri) { 4 } else { 500 }))]

    #[test]
    fn slots_order_and_wakes_are_those_of_the_model((capacity, steps) in steps()) {
        run(capacity, steps)?;
    }

    #[test]
    fn from_hand_to_hand_nothing_is_lost(
        rounds in proptest::collection::vec(any::<(bool, bool, bool)>(), 0..40)
    ) {
        nothing_is_lost(&rounds);
    }
}
