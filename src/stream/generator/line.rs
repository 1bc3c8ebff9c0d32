//! The `emit`s that wait: who is woken when there is room.

use std::collections::BTreeMap;
use std::mem;
use std::task::Waker;

use wakeline_context::quietly;

/// One a future, which takes itself out when it is dropped: whoever gives up leaves nothing.
#[derive(Debug, Default)]
pub(super) struct Line {
    waiting: BTreeMap<Ticket, Waiting>,
    next: u64,
}

/// The place of one `emit`, which it keeps until its end: first come, first woken.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Ticket(u64);

#[derive(Debug)]
struct Waiting {
    waker: Waker,
    /// It was polled by the body, which the consumer polls.
    inside: bool,
}

impl Line {
    /// Lists the waker. What it gives back is to be dropped when no lock is held.
    pub(super) fn wait(
        &mut self,
        ticket: &mut Option<Ticket>,
        waker: Waker,
        inside: bool,
    ) -> Option<Waker> {
        let ticket = *ticket.get_or_insert_with(|| {
            self.next += 1;
            Ticket(self.next)
        });
        match self.waiting.get_mut(&ticket) {
            Some(known) if known.waker.will_wake(&waker) => {
                known.inside = inside;
                Some(waker)
            }
            _ => {
                let waiting = Waiting { waker, inside };
                let known = self.waiting.insert(ticket, waiting);
                known.map(|known| known.waker)
            }
        }
    }

    /// One that gives up; as above.
    pub(super) fn leave(&mut self, ticket: Ticket) -> Option<Waker> {
        self.waiting.remove(&ticket).map(|known| known.waker)
    }

    pub(super) fn take(&mut self) -> Awaited {
        Awaited(mem::take(&mut self.waiting))
    }
}

/// Those who are to be woken, when no lock is held. The panic of a waker ends with the
/// hook: who wakes has an item in his hands, and others are to be woken, too.
pub(super) struct Awaited(BTreeMap<Ticket, Waiting>);

impl Awaited {
    pub(super) fn wake(self) {
        for waiting in self.0.into_values() {
            quietly(|| waiting.waker.wake());
        }
    }

    /// All but those in the body whose waker is the consumer's: the next `poll_next` polls
    /// the body, and so them.
    pub(super) fn wake_for(self, consumer: &Waker) {
        for Waiting { waker, inside } in self.0.into_values() {
            quietly(|| match inside && waker.will_wake(consumer) {
                true => drop(waker),
                false => waker.wake(),
            });
        }
    }
}
