//! For how long those are waited for whose limit has passed.

use std::task::{Context, Poll};

use wakeline_context::budget;
use wakeline_sync::children::Children;

/// So many turns in which nobody has a poll are waited for: who comes before the scope in
/// its task may leave it nothing of the share, each time.
const IDLE_MAX: u8 = 8;

/// Completion wins: each member that is woken when the limit passes has a poll first, also
/// if the task has to give way meanwhile. It ends: who is woken again is not polled twice
/// for it, and nobody beside the scope can put it off for more than a few turns.
#[derive(Debug, Default)]
pub(super) struct Patience {
    owed: Option<Owed>,
    end: budget::GiveUp,
}

#[derive(Debug)]
struct Owed {
    /// After so many polls all have had one that were woken by the limit.
    enough: u64,
    polled: u64,
    /// Turns since then in which nobody had one.
    idle: u8,
}

impl Patience {
    /// Ready if those who are left may be dropped; if not, the task has been woken.
    pub(super) fn poll<F>(&mut self, set: &Children<F>, cx: &mut Context<'_>) -> Poll<()> {
        if set.gave_way() && self.is_owed(set.polled(), set.len() as u64) {
            return Poll::Pending; // the set has woken the task
        }
        self.end.poll(cx)
    }

    fn is_owed(&mut self, polled: u64, members: u64) -> bool {
        let owed = self.owed.get_or_insert(Owed {
            enough: polled + members,
            polled,
            idle: 0,
        });
        owed.idle = if polled > owed.polled {
            0
        } else {
            owed.idle.saturating_add(1)
        };
        owed.polled = polled;
        polled < owed.enough && owed.idle <= IDLE_MAX
    }
}
