//! One poll, from the executor's side.
//!
//! A loop that polls many tasks sets aside once what its thread is inside of
//! ([`Aside`]), and then each poll ([`Polling`]) has nothing to keep and nothing to put
//! back.

use std::fmt;
use std::marker::PhantomData;
use std::panic::Location;

use crate::ambient::Ambient;
use crate::budget::{self, Budget};
use crate::task::{level, replace_level, replace_task};
use crate::waiting::{self, WaitingOn};

/// A poll, on a thread that is in no other.
///
/// Beginning gives it a full budget and forgets what an earlier poll waited for; the
/// end hands out what this one waits for. It stays on its thread. A drop, by a panic say, ends it without a word.
#[derive(Debug)]
#[must_use = "the poll ends when this is dropped"]
pub struct Polling(PhantomData<*const ()>);

impl Polling {
    /// Begins a poll with [`budget::PER_POLL`] units of work.
    #[inline]
    pub fn begin() -> Polling {
        debug_assert!(!budget::is_of_a_poll(), "the other was not set aside");
        budget::replace(Budget::full());
        // Said outside of all polls, by a blocking wait for instance.
        waiting::forget();
        Polling(PhantomData)
    }

    /// Ends it and tells what its last pending leaf waits for.
    #[inline]
    pub fn end(self) -> Option<WaitingOn> {
        let (location, what) = self.end_packed();
        WaitingOn::unpack(location, what)
    }

    /// The same in two words, for who keeps it until somebody asks: the line, or
    /// `None` if there is nothing to tell, and what [`WaitingOn::unpack`] reads.
    #[inline]
    pub fn end_packed(self) -> (Option<&'static Location<'static>>, u64) {
        let packed = waiting::take_packed();
        std::mem::forget(self);
        budget::replace(Budget::UNLIMITED);
        packed
    }
}

impl Drop for Polling {
    #[inline]
    fn drop(&mut self) {
        budget::replace(Budget::UNLIMITED);
        waiting::forget();
    }
}

/// What surrounds this thread, set aside until this is dropped: the poll that it is in,
/// the task, its values, what was lent to it alone, and the cancel token.
///
/// # Example
///
/// ```
/// use wakeline_context::{Aside, Polling, budget, current_task, replace_task};
///
/// replace_task(7);
/// let polling = Polling::begin();
/// let aside = Aside::new();
/// assert!(current_task() == 0 && !budget::is_limited());
/// drop(aside);
/// assert!(current_task() == 7 && budget::is_limited());
/// # drop(polling);
/// ```
#[must_use = "it is put back when this is dropped"]
pub struct Aside {
    budget: Budget,
    /// Only of a poll: so it may cost an allocation.
    waiting: Option<Box<WaitingOn>>,
    task: u64,
    level: u32,
    ambient: Ambient,
    /// Of this thread.
    not_send: PhantomData<*const ()>,
}

impl Aside {
    /// Sets it aside.
    #[inline]
    #[expect(clippy::new_without_default, reason = "it is done, not had")]
    pub fn new() -> Aside {
        let budget = budget::replace(Budget::UNLIMITED);
        let waiting = if budget.is_of_a_poll() {
            waiting::take_rare()
        } else {
            None
        };
        let mut ambient = Ambient::empty();
        ambient.exchange();
        Aside {
            budget,
            waiting,
            task: replace_task(0),
            level: replace_level(level() + 1),
            ambient,
            not_send: PhantomData,
        }
    }
}

impl Drop for Aside {
    #[inline]
    fn drop(&mut self) {
        self.ambient.exchange();
        replace_level(self.level);
        replace_task(self.task);
        budget::replace(self.budget);
        if let Some(outer) = self.waiting.take() {
            waiting::restore(outer);
        }
    }
}

impl fmt::Debug for Aside {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Aside").finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Kind, current_task, current_token, install_token, waiting_on};
    use std::sync::Arc;

    fn told(polling: Polling) -> Option<u64> {
        polling.end().map(|waiting| waiting.id)
    }

    #[test]
    fn what_is_set_aside_comes_back() {
        replace_task(7);
        let _token = install_token(Some(Arc::new(5_u8)));
        let outer = Polling::begin();
        waiting_on(Kind::Read, 1, Location::caller());
        let aside = Aside::new();
        assert!(current_task() == 0 && current_token().is_none());
        assert!(!budget::is_limited());
        let inner = Polling::begin();
        waiting_on(Kind::Timer, 2, Location::caller());
        assert_eq!(told(inner), Some(2));
        drop(aside);
        assert!(current_task() == 7 && current_token().is_some());
        assert!(budget::is_limited());
        assert_eq!(told(outer), Some(1));
    }

    #[test]
    fn a_poll_without_a_limit_comes_back_too() {
        let outer = Polling::begin();
        budget::unlimited(|| {
            waiting_on(Kind::Read, 1, Location::caller());
            // Again, as wrappers nest.
            budget::unlimited(|| drop(Aside::new()));
            assert!(!budget::is_limited());
        });
        assert!(budget::is_limited());
        assert_eq!(told(outer), Some(1));
    }

    #[test]
    fn what_was_said_outside_of_all_polls_is_not_kept() {
        waiting_on(Kind::Read, 1, Location::caller());
        let aside = Aside::new();
        assert!(aside.waiting.is_none());
        assert_eq!(told(Polling::begin()), None);
        drop(aside);
        assert_eq!(told(Polling::begin()), None);
    }

    #[test]
    fn nothing_is_left_behind_by_a_poll_that_panics() {
        let caught = std::panic::catch_unwind(|| {
            let _polling = Polling::begin();
            waiting_on(Kind::Read, 1, Location::caller());
            panic!("in the middle");
        });
        assert!(caught.is_err());
        assert!(!budget::is_limited());
        assert_eq!(told(Polling::begin()), None);
    }
}
