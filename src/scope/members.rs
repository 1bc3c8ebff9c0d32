//! Who is in a scope: how members come, and how they go.
//!
//! `driver.rs` says when; here is what happens to one of them, and what that
//! means for the others.

use std::panic::Location;
use std::sync::Arc;

use wakeline_context::{AnyToken, Cause, Reason, quietly};
use wakeline_sync::children::{Key, Payload, drop_caught};

use super::adopt::Orphan;
use super::driver::{Driver, Phase, Role};
use super::lane::Running;
use super::link::{BODY, Runs};
use super::member::{End, Kind, Place, Placed};
use super::shared::{Arrival, Finalizer, Work};

impl<F, R, E> Driver<F, R, E> {
    /// The place of the body or of a child.
    pub(super) fn place(&self, id: u64) -> Place {
        self.place_with(self.core.link.token().to_any(), id, Runs::Inline)
    }

    fn place_with(&self, token: AnyToken, id: u64, runs: Runs) -> Place {
        Place {
            token,
            link: Arc::clone(&self.core.link),
            id,
            runs,
        }
    }

    fn is_dropping(&self) -> bool {
        !matches!(
            self.phase,
            Phase::New | Phase::Running | Phase::Signalled(_)
        )
    }

    /// Something failed: the others are cancelled. A waker that panics at that is
    /// nobody's of these, and its panic no failure of the scope.
    fn fail(&self) {
        let token = self.core.link.token();
        quietly(|| _ = token.cancel(Reason::at(Cause::Sibling, self.location)));
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
                Kind::Task(mut task) => {
                    task.abort(self.location);
                    self.insert(id, Placed::new(Kind::Task(task), place));
                }
                // It had ended before it came: nobody cut it off.
                Kind::Failed(Some(error)) => self.child_ended(Ok(Err(error))),
                kind => {
                    self.story.cut();
                    self.discard(Placed::new(kind, place));
                }
            }
        } else {
            self.insert(id, Placed::new(kind, place));
        }
    }

    pub(super) fn insert(&mut self, id: u64, child: Placed<Kind<F, E>>) {
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
        let place = self.place_with(self.cleanup.to_any(), finalizer.origin, Runs::InLane);
        self.discard(Placed::new(finalizer.work, place));
    }

    fn run_finalizer(&mut self, finalizer: Finalizer<F>) {
        let Finalizer {
            origin,
            location,
            shield,
            work,
        } = finalizer;
        let kind = match work {
            Work::Borrowed(work) => Kind::Borrowed(work),
            Work::Owned(work) => Kind::Owned(work),
        };
        let place = self.place_with(self.cleanup.to_any(), origin, Runs::InLane);
        let key = self.set.insert(Placed::new(kind, place));
        let running = Running {
            origin,
            location,
            shield,
        };
        self.roles.insert(key, Role::Cleanup(running));
    }

    /// Takes in what the handles have left.
    pub(super) fn take_in(&mut self) {
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
                shield: false,
                work: Work::Owned(work),
            });
        }
        for (id, by) in self.core.link.take_aborts() {
            if !self.end_child(id, by) {
                self.end_shield(id);
            }
        }
    }

    /// Drops a shielded future, on request of its handle.
    fn end_shield(&mut self, id: u64) {
        let is_its = |role: &Role| matches!(role, Role::Cleanup(running) if running.shield && running.origin == id);
        let found = self.roles.iter().find(|(_, role)| is_its(role));
        if let Some((&key, _)) = found {
            self.roles.remove(&key);
            let finalizer = self.set.remove(key);
            self.discard(finalizer);
            if let Some(next) = self.lines.next(id) {
                self.run_finalizer(next);
            }
        }
    }

    /// Drops the body or a child where it stands, or aborts the task; true if
    /// it was dropped.
    fn end_child(&mut self, id: u64, by: &'static Location<'static>) -> bool {
        let Some(&key) = self.alive.get(&id) else {
            return false;
        };
        if let Some(Kind::Task(task)) = self.set.get_mut(key).and_then(Placed::get_mut) {
            task.abort(by);
            return false;
        }
        if let Some(child) = self.set.get_mut(key) {
            child.tell_abort(by);
        }
        self.alive.remove(&id);
        self.roles.remove(&key);
        let child = self.set.remove(key);
        self.discard(child);
        true
    }

    /// Drops the children, oldest first, and then the body.
    pub(super) fn cut(&mut self) {
        self.phase = Phase::Dropped;
        let ids: Vec<u64> = self.alive.keys().copied().collect();
        for id in ids.into_iter().filter(|&id| id != BODY) {
            if self.end_child(id, self.location) {
                self.story.cut();
            }
        }
        if self.end_child(BODY, self.location) {
            self.story.body_cut(self.turn);
        }
    }

    /// Drops the finalizers that are not done.
    pub(super) fn expire(&mut self) {
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
    pub(super) fn ended(&mut self, key: Key, end: Result<Result<End, E>, Payload>) {
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
            Ok(Ok(End::Aborted | End::Cut) | Err(_)) => self.story.body_cut(turn),
            Err(payload) => self.story.body_panicked(payload, turn),
        }
        self.fail();
    }

    fn child_ended(&mut self, end: Result<Result<End, E>, Payload>) {
        match end {
            Ok(Ok(End::Done)) => {}
            Ok(Ok(End::Aborted)) if !self.is_dropping() => {} // by its handle
            Ok(Ok(End::Aborted | End::Cut)) => self.story.cut(),
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
