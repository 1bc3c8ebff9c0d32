//! The future of a scope: it polls the body, the children and the finalizers,
//! and leaves when all are gone.
//!
//! ```text
//!   New ──1──▶ Running ──2──▶ Signalled ──3──▶ Dropped ──4──▶ Cleanup ──5──▶ Expired
//!                 │               └──────4─────────┐ │           │              │
//!                 └───────────────────────6────────┴─┴───────────┴──────────────┘
//!                                                  ▼
//!                                                 Done
//! ```
//! 1 `enter`   the first poll: the token in force becomes the parent of its own
//! 2 `look`    the token is cancelled: from outside, by the deadline, by a
//!             failure, on request. Who listens is polled once more
//! 3 `cut`     the signal grace is over (at once, if it is zero): body and
//!             children are dropped where they stand, tasks are aborted
//! 4 `step`    the last of them is gone: the finalizers have the cleanup grace
//! 5 `expire`  it is over: finalizers that are not done are dropped
//! 6 `leave`   body, children, tasks, starts and finalizers are all gone
//!
//! A *turn* is one poll. Everything that is woken is polled before the turn
//! looks for a cancel for the last time: completion wins (G3).
//!
//! Dropped from outside, it goes through 2 to 6 at once (`hard_drop.rs`).

use std::collections::{BTreeMap, HashMap};
use std::future::Future;
use std::panic::{Location, resume_unwind};
use std::pin::Pin;
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll};
use std::time::Instant;

use wakeline_context::{beside, budget};
use wakeline_sync::children::{Children, Key};

use super::error::ScopeError;
use super::lane::{Lines, Running};
use super::link::{BODY, lock};
use super::member::{Kind, Placed};
use super::patience::Patience;
use super::shared::Core;
use super::story::Story;
use crate::cancel::{CancelToken, UntilCancelled};
use crate::time::{self, Sleep};

pub(super) struct Driver<F, R, E> {
    pub(super) core: Arc<Core<F, E>>,
    /// Until the first poll.
    pub(super) body: Option<F>,
    /// Where the body puts its value.
    value: Arc<Mutex<Option<R>>>,
    pub(super) set: Children<Placed<Kind<F, E>>>,
    pub(super) roles: HashMap<Key, Role>,
    /// Body and children that are alive, oldest first.
    pub(super) alive: BTreeMap<u64, Key>,
    pub(super) lines: Lines<F>,
    pub(super) phase: Phase,
    pub(super) turn: u64,
    pub(super) story: Story<E>,
    stop: Option<UntilCancelled>,
    timer: Option<Sleep>,
    patience: Patience,
    /// In force for finalizers: it does not hear the scope's cancel.
    pub(super) cleanup: CancelToken,
    pub(super) location: &'static Location<'static>,
}

/// What a member of the set is to the scope.
#[derive(Clone, Copy, Debug)]
pub(super) enum Role {
    /// The body or a child.
    Child(u64),
    Cleanup(Running),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Phase {
    New,
    Running,
    /// Until then; none is never.
    Signalled(Option<Instant>),
    Dropped,
    Cleanup(Option<Instant>),
    Expired,
    Done,
}

enum Step {
    Again,
    Wait,
    Over,
}

/// Everything in here may move: the futures are boxed.
impl<F, R, E> Unpin for Driver<F, R, E> {}

impl<F, R, E> Driver<F, R, E> {
    pub(super) fn new(
        set: Children<Placed<Kind<F, E>>>,
        core: Arc<Core<F, E>>,
        value: Arc<Mutex<Option<R>>>,
        location: &'static Location<'static>,
    ) -> Driver<F, R, E> {
        Driver {
            core,
            body: None,
            value,
            set,
            roles: HashMap::new(),
            alive: BTreeMap::new(),
            lines: Lines::new(),
            phase: Phase::New,
            turn: 0,
            story: Story::new(),
            stop: None,
            timer: None,
            patience: Patience::default(),
            cleanup: CancelToken::new(),
            location,
        }
    }
}

impl<F, R, E> Driver<F, R, E>
where
    F: Future<Output = Result<(), E>> + Unpin,
{
    /// The first poll: finds its place, and begins.
    fn enter(&mut self) {
        self.phase = Phase::Running;
        let token = self.core.link.token().clone();
        let limit = self.core.link.settings().limit;
        if let Some((limit, location)) = limit {
            token.set_deadline_of(limit.deadline(), location);
        }
        self.stop = Some(UntilCancelled::new(token.node().clone(), self.location));
        if let Some(body) = self.body.take() {
            let body = Placed::new(Kind::Here(body), self.place(BODY));
            self.insert(BODY, body);
        }
    }

    /// Whether the turn has just now seen that the scope is cancelled.
    fn look(&mut self, cx: &mut Context<'_>, first: bool) -> bool {
        if self.story.is_cancelled() {
            return false;
        }
        let cancelled = match &mut self.stop {
            // Only the first look of a turn leaves a waker. The second one must
            // not: what the members wait for is what a dump should show.
            Some(stop) if first => stop.poll_unlimited(cx).is_ready(),
            _ => self.core.link.token().is_cancelled(),
        };
        if cancelled {
            self.story.cancelled(self.turn);
            self.stop = None;
        }
        cancelled
    }

    /// Polls all that are woken.
    fn pass(&mut self, cx: &mut Context<'_>) {
        loop {
            self.take_in();
            match self.set.poll_next(cx) {
                Poll::Ready(Some((key, end))) => self.ended(key, end),
                Poll::Ready(None) | Poll::Pending if self.core.has_news() => {}
                Poll::Ready(None) | Poll::Pending => return,
            }
        }
    }

    fn step(&mut self, cx: &mut Context<'_>) -> Step {
        let alive = !self.alive.is_empty();
        let cancelled = self.story.is_cancelled();
        if cancelled
            && self.core.link.is_left_to_the_scope_above()
            && self.story.is_cancelled_outside(&self.core.link, alive)
        {
            // It is about to drop this scope, and it reports.
            return Step::Wait;
        }
        if cancelled && matches!(self.phase, Phase::Running) {
            let grace = self.core.link.settings().signal_grace;
            self.phase = Phase::Signalled(time::now().checked_add(grace));
        }
        let held = self.core.is_held();
        if alive || held {
            if let Phase::Signalled(until) = self.phase {
                if !self.is_past(until, cx) || self.patience.poll(&self.set, cx).is_pending() {
                    return Step::Wait;
                }
                self.cut();
                return Step::Again;
            }
            // A start that keeps it open may be a finalizer's own: that has the
            // grace and no more.
            if alive || !cancelled || self.lines.is_idle() {
                return Step::Wait;
            }
        }
        if self.lines.is_idle() {
            return match self.core.close_if_done() {
                true => Step::Over,
                false => Step::Again, // something has come just now
            };
        }
        self.step_cleanup(cancelled, cx)
    }

    /// Only finalizers are left. Without a cancel they have all the time.
    fn step_cleanup(&mut self, cancelled: bool, cx: &mut Context<'_>) -> Step {
        if !cancelled {
            return Step::Wait;
        }
        let until = match self.phase {
            Phase::Cleanup(until) => until,
            _ => {
                let until = self.core.link.cleanup_until();
                self.phase = Phase::Cleanup(until);
                self.core.link.settings().cleanup_until = until;
                self.cleanup.set_deadline_of(until, self.location);
                self.timer = None;
                self.patience = Patience::default();
                until
            }
        };
        if self.is_past(until, cx) && self.patience.poll(&self.set, cx).is_ready() {
            self.expire();
            return Step::Again;
        }
        Step::Wait
    }

    /// Whether `until` has passed; if not, the task is woken then.
    fn is_past(&mut self, until: Option<Instant>, cx: &mut Context<'_>) -> bool {
        let Some(until) = until else { return false };
        if until <= time::now() {
            self.timer = None;
            return true;
        }
        let location = self.location;
        let timer = self
            .timer
            .get_or_insert_with(|| time::sleep_until(until).with_location(location));
        // What the members await is what a dump should show.
        beside(|| budget::unlimited(|| Pin::new(timer).poll(cx))).is_ready()
    }

    fn leave(&mut self) -> Result<R, ScopeError<E>> {
        self.phase = Phase::Done;
        self.stop = None;
        self.timer = None;
        let value = lock(&self.value).take();
        let left = self.story.end(value, &self.core.link);
        self.story
            .tell_runtime(self.location, "has reported something else");
        match left {
            Ok(result) => result,
            Err(payload) => resume_unwind(payload),
        }
    }
}

impl<F, R, E> Future for Driver<F, R, E>
where
    F: Future<Output = Result<(), E>> + Unpin,
{
    type Output = Result<R, ScopeError<E>>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let this = &mut *self;
        this.turn += 1;
        match this.phase {
            Phase::New => this.enter(),
            Phase::Done => panic!(
                "the scope made at {} was polled after its end",
                this.location
            ),
            _ => {}
        }
        this.look(cx, true);
        loop {
            this.pass(cx);
            if this.look(cx, false) {
                continue; // those who listen have a poll
            }
            match this.step(cx) {
                Step::Again => {}
                Step::Wait => return Poll::Pending,
                Step::Over => return Poll::Ready(this.leave()),
            }
        }
    }
}
