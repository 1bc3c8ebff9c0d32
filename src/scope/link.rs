//! What of a scope is not bound to its lifetime: its token, its place in the
//! tree of scopes, its limits.
//!
//! Everything typed by the scope's lifetime is in `shared.rs`. This part is
//! `'static`, so that handles of children, tasks on other threads and scopes
//! further down can hold it without holding what is borrowed.

use std::cell::RefCell;
use std::panic::Location;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::{Duration, Instant};

use wakeline_context::{Reason, current_task, level};
use wakeline_sync::children::Nudge;
use wakeline_sync::lane::Lane;

use super::OnPanic;
use super::adopt::Orphan;
use crate::cancel::{CancelToken, current_token};
use crate::time;

/// How long finalizers may take after a cancel, if nobody says otherwise.
const CLEANUP_GRACE: Duration = Duration::from_secs(1);

/// The body's id; children have the numbers after it.
pub(super) const BODY: u64 = 0;

#[derive(Debug)]
pub(crate) struct Link {
    /// Found when the scope is entered, or earlier if somebody asks.
    place: OnceLock<Place>,
    /// The task that has made it.
    made_by: u64,
    /// Cleanup that scopes further down have left behind.
    pub(super) orphans: Arc<Lane<Orphan>>,
    nudge: Nudge,
    settings: Mutex<Settings>,
    /// Children to drop; `None` when the scope has ended, and with it they.
    aborts: Mutex<Option<Vec<Abort>>>,
    next_id: AtomicU64,
    /// The line of the scope.
    pub(super) location: &'static Location<'static>,
}

/// Where in the tree a scope is.
#[derive(Debug)]
struct Place {
    token: CancelToken,
    outer: CancelToken,
    /// The scope around this one, if code of its own made this one.
    above: Option<Arc<Link>>,
}

#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Settings {
    pub(super) limit: Option<(Limit, &'static Location<'static>)>,
    pub(super) signal_grace: Duration,
    pub(super) cleanup_grace: Option<Duration>,
    pub(super) on_panic: OnPanic,
    /// When the finalizers that run now will be dropped.
    pub(super) cleanup_until: Option<Instant>,
}

/// Which child is to be dropped, and the line that asked for it.
type Abort = (u64, &'static Location<'static>);

#[derive(Clone, Copy, Debug)]
pub(super) enum Limit {
    At(Instant),
    /// Counts from the first poll.
    After(Duration),
}

impl Limit {
    /// When it is reached, counted from now; `None` is never.
    pub(super) fn deadline(self) -> Option<Instant> {
        match self {
            Limit::At(deadline) => Some(deadline),
            Limit::After(limit) => time::now().checked_add(limit),
        }
    }
}

pub(super) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    // No user code runs under these locks, so nothing is left half done.
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Link {
    pub(super) fn new(nudge: Nudge, location: &'static Location<'static>) -> Link {
        Link {
            place: OnceLock::new(),
            made_by: current_task(),
            orphans: Arc::new(Lane::new(Some(nudge.clone()))),
            nudge,
            settings: Mutex::default(),
            aborts: Mutex::new(Some(Vec::new())),
            next_id: AtomicU64::new(BODY + 1),
            location,
        }
    }

    fn place(&self) -> &Place {
        self.place.get_or_init(|| {
            let outer = current_token();
            let above = current().map(|here| here.link);
            if let Some(above) = &above {
                self.orphans.set_above(&above.orphans);
            }
            Place {
                token: outer.child(),
                above,
                outer,
            }
        })
    }

    /// The scope's own token.
    pub(super) fn token(&self) -> &CancelToken {
        &self.place().token
    }

    /// Why it is cancelled. One that is not entered yet is not, for those who only hold
    /// its handle: they must not say where it belongs.
    pub(super) fn reason(&self) -> Option<Reason> {
        if self.place.get().is_none() && self.made_by != current_task() {
            return None;
        }
        self.token().reason()
    }

    /// The token that was in force around the scope.
    pub(super) fn outer(&self) -> &CancelToken {
        &self.place().outer
    }

    /// Whether the scope above is about to drop this one: it is cancelled and
    /// gives no time, so it is the one that reports.
    ///
    /// Only if it is code of that scope that polls this one now: a scope that
    /// was moved out of it is dropped by nobody.
    pub(super) fn is_left_to_the_scope_above(&self) -> bool {
        let Some(above) = &self.place().above else {
            return false;
        };
        let drops =
            |here: Current| Arc::ptr_eq(&here.link, above) && here.runs.is_dropped_by_a_cancel();
        let gives_no_time = above.settings().signal_grace.is_zero();
        gives_no_time && above.token().is_cancelled() && current().is_some_and(drops)
    }

    pub(super) fn settings(&self) -> MutexGuard<'_, Settings> {
        lock(&self.settings)
    }

    /// How long finalizers may take: the least of what this scope and those
    /// above say.
    pub(super) fn cleanup_grace(&self) -> Duration {
        let mut least: Option<Duration> = None;
        let mut next = Some(self);
        while let Some(link) = next {
            let own = link.settings().cleanup_grace;
            least = match (own, least) {
                (Some(own), Some(least)) => Some(own.min(least)),
                (own, least) => own.or(least),
            };
            next = link.place().above.as_deref();
        }
        least.unwrap_or(CLEANUP_GRACE)
    }

    /// When finalizers that begin their grace now must be done; none is never.
    pub(super) fn cleanup_until(&self) -> Option<Instant> {
        let mut until = crate::time::now().checked_add(self.cleanup_grace());
        let mut next = self.place().above.as_deref();
        while let Some(link) = next {
            let theirs = link.settings().cleanup_until;
            until = match (until, theirs) {
                (Some(until), Some(theirs)) => Some(until.min(theirs)),
                (until, theirs) => until.or(theirs),
            };
            next = link.place().above.as_deref();
        }
        until
    }

    pub(super) fn next_id(&self) -> u64 {
        // Relaxed: only the number counts.
        self.next_id.fetch_add(1, Ordering::Relaxed)
    }

    /// Asks for a child to be dropped.
    pub(super) fn abort(&self, id: u64, location: &'static Location<'static>) {
        if let Some(aborts) = lock(&self.aborts).as_mut() {
            aborts.push((id, location));
        }
        self.wake();
    }

    pub(super) fn take_aborts(&self) -> Vec<Abort> {
        lock(&self.aborts)
            .as_mut()
            .map(std::mem::take)
            .unwrap_or_default()
    }

    pub(super) fn has_aborts(&self) -> bool {
        lock(&self.aborts)
            .as_ref()
            .is_some_and(|aborts| !aborts.is_empty())
    }

    /// The scope has ended: what handles ask from now on is kept no more.
    pub(super) fn close_aborts(&self) {
        *lock(&self.aborts) = None;
    }

    /// Has the scope polled; needless while it is, on this thread.
    pub(super) fn wake(&self) {
        if !is_polling(self) {
            self.nudge.wake();
        }
    }

    /// Whose guard is made here: a child of this scope, or the body.
    pub(super) fn origin(&self) -> u64 {
        let here = current().filter(|current| std::ptr::eq(&*current.link, self));
        here.map_or(BODY, |current| current.id)
    }
}

impl Drop for Link {
    /// Lets go of the links above one by one, as `Lane` does: the last of a deep
    /// nest of scopes must not need a stack of that depth.
    fn drop(&mut self) {
        let mut next = self.place.take().and_then(|place| place.above);
        while let Some(mut link) = next.and_then(Arc::into_inner) {
            next = link.place.take().and_then(|place| place.above);
        }
    }
}

/// The scope whose code runs on this thread.
#[derive(Clone)]
pub(super) struct Current {
    link: Arc<Link>,
    /// Which child, or the body.
    id: u64,
    runs: Runs,
    /// A task that runs in the midst of its poll is on another.
    level: u32,
}

/// Where the code of a scope runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Runs {
    /// In the scope's own poll: the body and the children.
    Inline,
    /// There, too: finalizers, which a cancel does not drop.
    InLane,
    /// As a task, which a cancel aborts.
    AsTask,
    /// On a thread that may block, to its end.
    OnThread,
}

impl Runs {
    fn is_in_the_poll(self) -> bool {
        matches!(self, Runs::Inline | Runs::InLane)
    }

    fn is_dropped_by_a_cancel(self) -> bool {
        matches!(self, Runs::Inline | Runs::AsTask)
    }
}

thread_local! {
    static CURRENT: RefCell<Option<Current>> = const { RefCell::new(None) };
}

fn current() -> Option<Current> {
    with_current(|current| current.cloned()).flatten()
}

fn is_polling(link: &Link) -> bool {
    let here =
        |current: &Current| current.runs.is_in_the_poll() && std::ptr::eq(&*current.link, link);
    with_current(|current| current.is_some_and(here)).unwrap_or(false)
}

fn with_current<R>(look: impl FnOnce(Option<&Current>) -> R) -> Option<R> {
    CURRENT
        .try_with(|current| {
            let current = current.borrow();
            look(current.as_ref().filter(|here| here.level == level()))
        })
        .ok()
}

/// Says that code of child `id` of `link` runs here, until the guard is dropped.
pub(super) fn enter(link: &Arc<Link>, id: u64, runs: Runs) -> Entered {
    let entered = Current {
        link: Arc::clone(link),
        id,
        runs,
        level: level(),
    };
    let before = CURRENT.try_with(|current| current.replace(Some(entered)));
    Entered {
        before: before.ok().flatten(),
    }
}

pub(super) struct Entered {
    before: Option<Current>,
}

impl Drop for Entered {
    fn drop(&mut self) {
        let before = self.before.take();
        // Dropped outside of the borrow.
        drop(CURRENT.try_with(|current| current.replace(before)));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_asked_of_a_scope_that_has_ended_is_not_kept() {
        let children = wakeline_sync::children::Children::<std::future::Ready<()>>::new();
        let link = Link::new(children.nudge(), Location::caller());
        link.abort(1, Location::caller());
        assert!(link.has_aborts());
        assert_eq!(link.take_aborts().len(), 1);
        link.abort(2, Location::caller());
        link.close_aborts();
        link.abort(3, Location::caller());
        assert!(!link.has_aborts());
        assert!(link.take_aborts().is_empty());
    }
}
