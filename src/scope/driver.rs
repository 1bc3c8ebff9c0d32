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

use wakeline_context::{AnyToken, Cause, Reason, budget};
use wakeline_sync::children::{Children, Key, Payload, drop_caught};

use super::adopt::Orphan;
use super::error::ScopeError;
use super::lane::{Lines, Running};
use super::link::{BODY, Limit, lock};
use super::member::{End, Kind, Place, Placed};
use super::shared::{Arrival, Core, Finalizer, Work};
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
    turn: u64,
    story: Story<E>,
    stop: Option<UntilCancelled>,
    timer: Option<Sleep>,
    /// In force for finalizers: it does not hear the scope's cancel.
    cleanup: CancelToken,
    location: &'static Location<'static>,
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
            cleanup: CancelToken::new(),
            location,
        }
    }

    /// The place of the body or of a child.
    pub(super) fn place(&self, id: u64) -> Place {
        self.place_with(self.core.link.token().to_any(), id)
    }

    fn place_with(&self, token: AnyToken, id: u64) -> Place {
        Place {
            token,
            link: Arc::clone(&self.core.link),
            id,
            inline: true,
        }
    }

    fn is_dropping(&self) -> bool {
        !matches!(
            self.phase,
            Phase::New | Phase::Running | Phase::Signalled(_)
        )
    }

    /// Something failed: the others are cancelled.
    fn fail(&self) {
        self.core
            .link
            .token()
            .cancel(Reason::at(Cause::Sibling, self.location));
    }

    fn panicked(&mut self, payload: Payload) {
        self.story.panicked(payload);
        self.fail();
    }

    /// Drops something of the user's; a panic of it counts.
    fn discard<T>(&mut self, value: T) {
        if let Some(payload) = drop_caught(value) {
            self.panicked(payload);
        }
    }

    fn add(&mut self, arrival: Arrival<F, E>) {
        let Arrival { id, kind } = arrival;
        let place = self.place(id);
        if self.is_dropping() {
            match kind {
                Kind::Task(task) => {
                    task.abort();
                    self.insert(id, Placed::new(Kind::Task(task), place));
                }
                kind => {
                    self.story.cut();
                    self.discard(Placed::new(kind, place));
                }
            }
        } else {
            self.insert(id, Placed::new(kind, place));
        }
    }

    fn insert(&mut self, id: u64, child: Placed<Kind<F, E>>) {
        let key = self.set.insert(child);
        self.roles.insert(key, Role::Child(id));
        self.alive.insert(id, key);
    }

    fn take_in_finalizer(&mut self, finalizer: Finalizer<F>) {
        if self.phase == Phase::Expired {
            self.story.unfinished(finalizer.location);
            self.discard_finalizer(finalizer);
        } else if let Some(finalizer) = self.lines.push(finalizer) {
            self.run_finalizer(finalizer);
        }
    }

    fn discard_finalizer(&mut self, finalizer: Finalizer<F>) {
        let place = self.place_with(self.cleanup.to_any(), finalizer.origin);
        self.discard(Placed::new(finalizer.work, place));
    }

    fn run_finalizer(&mut self, finalizer: Finalizer<F>) {
        let Finalizer {
            origin,
            location,
            work,
        } = finalizer;
        let kind = match work {
            Work::Borrowed(work) => Kind::Borrowed(work),
            Work::Owned(work) => Kind::Owned(work),
        };
        let place = self.place_with(self.cleanup.to_any(), origin);
        let key = self.set.insert(Placed::new(kind, place));
        let running = Running { origin, location };
        self.roles.insert(key, Role::Cleanup(running));
    }

    /// Takes in what the handles have left.
    fn take_in(&mut self) {
        let news = self.core.take_news();
        for arrival in news.arrivals {
            self.add(arrival);
        }
        for finalizer in news.finalizers {
            self.take_in_finalizer(finalizer);
        }
        while let Some(Orphan { work, location }) = self.core.link.orphans.take() {
            self.take_in_finalizer(Finalizer {
                origin: self.core.link.next_id(),
                location,
                work: Work::Owned(work),
            });
        }
        for id in self.core.link.take_aborts() {
            self.end_child(id);
        }
    }

    /// Drops the body or a child where it stands, or aborts the task; true if
    /// it was dropped.
    fn end_child(&mut self, id: u64) -> bool {
        let Some(&key) = self.alive.get(&id) else {
            return false;
        };
        if let Some(Kind::Task(task)) = self.set.get_mut(key).and_then(Placed::get_mut) {
            task.abort();
            return false;
        }
        self.alive.remove(&id);
        self.roles.remove(&key);
        let child = self.set.remove(key);
        self.discard(child);
        true
    }

    /// Drops the children, oldest first, and then the body.
    fn cut(&mut self) {
        self.phase = Phase::Dropped;
        let ids: Vec<u64> = self.alive.keys().copied().collect();
        for id in ids.into_iter().filter(|&id| id != BODY) {
            if self.end_child(id) {
                self.story.cut();
            }
        }
        if self.end_child(BODY) {
            self.story.body_cut(self.turn);
        }
    }

    /// Drops the finalizers that are not done.
    fn expire(&mut self) {
        self.phase = Phase::Expired;
        for key in self.set.keys() {
            if let Some(Role::Cleanup(running)) = self.roles.get(&key).copied() {
                self.roles.remove(&key);
                self.story.unfinished(running.location);
                let finalizer = self.set.remove(key);
                self.discard(finalizer);
            }
        }
        for (_origin, line) in self.lines.take() {
            for finalizer in line {
                self.story.unfinished(finalizer.location);
                self.discard_finalizer(finalizer);
            }
        }
    }

    /// A member is gone.
    fn ended(&mut self, key: Key, end: Result<Result<End, E>, Payload>) {
        match self.roles.remove(&key) {
            Some(Role::Cleanup(running)) => {
                if let Err(payload) = end {
                    self.panicked(payload);
                }
                if let Some(next) = self.lines.next(running.origin) {
                    self.run_finalizer(next);
                }
            }
            Some(Role::Child(id)) => {
                self.alive.remove(&id);
                if id == BODY {
                    self.body_ended(end);
                } else {
                    self.child_ended(end);
                }
            }
            None => unreachable!("every member has a role"),
        }
    }

    fn body_ended(&mut self, end: Result<Result<End, E>, Payload>) {
        let turn = self.turn;
        match end {
            Ok(Ok(End::Done)) => return self.story.body_done(turn),
            Ok(Err(error)) if !self.core.is_cancellation(&error) => {
                self.story.body_failed(error, turn);
            }
            // It says that it gave up: a scope without a body is cancelled.
            Ok(Ok(End::Cut) | Err(_)) => self.story.body_cut(turn),
            Err(payload) => self.story.body_panicked(payload, turn),
        }
        self.fail();
    }

    fn child_ended(&mut self, end: Result<Result<End, E>, Payload>) {
        match end {
            Ok(Ok(End::Done)) => {}
            Ok(Ok(End::Cut)) if self.is_dropping() => self.story.cut(),
            Ok(Ok(End::Cut)) => {}
            Ok(Err(error)) if self.core.is_cancellation(&error) => {
                if self.story.is_cancelled() {
                    self.story.cut();
                }
            }
            Ok(Err(error)) => {
                self.story.failed(error);
                self.fail();
            }
            Err(payload) => self.panicked(payload),
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
        match limit {
            Some(Limit::At(deadline)) => token.set_deadline(Some(deadline)),
            Some(Limit::After(limit)) => token.set_timeout(limit),
            None => {}
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
        if alive || self.core.is_held() {
            let Phase::Signalled(until) = self.phase else {
                return Step::Wait;
            };
            if !self.is_past(until, cx) {
                return Step::Wait;
            }
            self.cut();
            return Step::Again;
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
                self.cleanup.set_deadline(until);
                self.timer = None;
                until
            }
        };
        if self.is_past(until, cx) {
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
        let timer = self.timer.get_or_insert_with(|| time::sleep_until(until));
        budget::unlimited(|| Pin::new(timer).poll(cx)).is_ready()
    }

    fn leave(&mut self) -> Result<R, ScopeError<E>> {
        self.phase = Phase::Done;
        self.stop = None;
        self.timer = None;
        let value = lock(&self.value).take();
        match self.story.end(value, &self.core.link) {
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
