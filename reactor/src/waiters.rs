//! Who waits for one direction of a source.
//!
//! One slot for the `poll_` traits, whose last caller counts, and any number
//! of futures. The first future is stored in place, so that the usual single
//! waiter allocates nothing.

use crate::readiness::Seen;
use std::task::Waker;

/// Names a future among the waiters of one direction.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct WaiterId(u32);

/// A future that has waited.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Listing {
    id: WaiterId,
    /// What was known of the direction when it was listed last.
    pub(crate) at: Seen,
}

/// Who asks to be woken.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Who {
    /// The one `poll_` caller.
    Slot,
    /// A future; `None` until its first wait.
    Future(Option<Listing>),
}

#[derive(Debug, Default)]
pub(crate) struct Waiters {
    slot: Option<Waker>,
    first: Option<(WaiterId, Waker)>,
    rest: Vec<(WaiterId, Waker)>,
    last_id: u32,
}

impl Waiters {
    fn find(&mut self, id: WaiterId) -> Option<&mut Waker> {
        self.first
            .as_mut()
            .into_iter()
            .chain(&mut self.rest)
            .find(|(listed, _)| *listed == id)
            .map(|(_, waker)| waker)
    }

    /// Lists `who`, or changes its waker, and returns the waker that is no
    /// longer needed: the caller drops it after unlocking. `at`: what is known.
    #[inline]
    pub(crate) fn set(&mut self, who: &mut Who, waker: Waker, at: Seen) -> Option<Waker> {
        let Who::Future(listing) = who else {
            return self.slot.replace(waker);
        };
        let id = match listing {
            Some(listing) => {
                if let Some(listed) = self.find(listing.id) {
                    listing.at = at;
                    return Some(std::mem::replace(listed, waker));
                }
                listing.id
            }
            None => {
                self.last_id = self.last_id.wrapping_add(1);
                WaiterId(self.last_id)
            }
        };
        *listing = Some(Listing { id, at });
        if self.first.is_none() {
            self.first = Some((id, waker));
        } else {
            self.rest.push((id, waker));
        }
        None
    }

    /// Forgets `who`; the caller drops the waker after unlocking.
    pub(crate) fn unset(&mut self, who: Who) -> Option<Waker> {
        let Who::Future(listing) = who else {
            return self.slot.take();
        };
        let id = listing?.id;
        if let Some((_, waker)) = self.first.take_if(|(at, _)| *at == id) {
            return Some(waker);
        }
        let at = self.rest.iter().position(|(at, _)| *at == id)?;
        Some(self.rest.swap_remove(at).1)
    }

    /// Moves every waker into `out`: each will look for itself.
    #[inline(always)]
    pub(crate) fn take_all(&mut self, out: &mut Vec<Waker>) {
        if let Some(waker) = self.slot.take() {
            out.push(waker);
        }
        if let Some((_, waker)) = self.first.take() {
            out.push(waker);
        }
        // A drain of nothing costs more than all of the above.
        if !self.rest.is_empty() {
            out.extend(self.rest.drain(..).map(|(_, waker)| waker));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::Arc;
    use std::task::Wake;

    struct Named;
    impl Wake for Named {
        fn wake(self: Arc<Self>) {}
    }

    fn waker() -> Waker {
        Waker::from(Arc::new(Named))
    }

    fn nothing() -> Seen {
        crate::readiness::Readiness::pessimistic().look()
    }

    #[test]
    fn each_waiter_is_listed_once_and_taken_once() {
        let (mut waiters, at) = (Waiters::default(), nothing());
        let (a, b, c) = (waker(), waker(), waker());
        let (mut first, mut second) = (Who::Future(None), Who::Future(None));
        assert!(waiters.set(&mut first, a.clone(), at).is_none());
        assert!(waiters.set(&mut second, b.clone(), at).is_none());
        assert!(waiters.set(&mut Who::Slot, c.clone(), at).is_none());
        assert!(
            waiters.set(&mut first, a.clone(), at).is_some(),
            "replaced, not added"
        );
        assert!(
            waiters
                .set(&mut second, b.clone(), at)
                .is_some_and(|old| old.will_wake(&b)),
            "each has its own"
        );
        let mut out = Vec::new();
        waiters.take_all(&mut out);
        assert_eq!(out.len(), 3);
        assert!(waiters.unset(first).is_none());
    }

    #[test]
    fn a_future_that_goes_leaves_the_others() {
        let (mut waiters, at) = (Waiters::default(), nothing());
        let mut all: Vec<Who> = (0..3).map(|_| Who::Future(None)).collect();
        for who in &mut all {
            waiters.set(who, waker(), at);
        }
        assert!(waiters.unset(all[0]).is_some());
        let mut late = Who::Future(None);
        waiters.set(&mut late, waker(), at);
        let mut out = Vec::new();
        waiters.take_all(&mut out);
        assert_eq!(out.len(), 3);
    }
}
