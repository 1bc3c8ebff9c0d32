//! What has happened in a scope so far, and what it therefore returns.

use std::any::Any;
use std::panic::Location;

use wakeline_context::{Cause, Reason, quietly};
use wakeline_executor::Witness;
use wakeline_sync::children::{Payload, drop_caught};

use super::error::{Errors, Panicked, ScopeError};
use super::exit::{BodyEnd, Exit, Facts, exit};
use super::link::Link;
use crate::time::Elapsed;

pub(super) struct Story<E> {
    /// How the body ended, and in which turn; none while it runs.
    body: Option<(BodyEnd, u64)>,
    body_error: Option<E>,
    body_panic: Option<Payload>,
    errors: Vec<E>,
    panics: Vec<Payload>,
    /// Whom to tell of the panics that are not reported.
    witness: Option<Witness>,
    unfinished: Vec<&'static Location<'static>>,
    /// A child was dropped before it was done.
    cut: bool,
    /// The turn that saw the cancel.
    cancel_seen: Option<u64>,
}

impl<E> Story<E> {
    pub(super) fn new() -> Story<E> {
        Story {
            body: None,
            body_error: None,
            body_panic: None,
            errors: Vec::new(),
            panics: Vec::new(),
            witness: None,
            unfinished: Vec::new(),
            cut: false,
            cancel_seen: None,
        }
    }

    pub(super) fn body_done(&mut self, turn: u64) {
        self.body = Some((BodyEnd::Since, turn));
    }

    pub(super) fn body_cut(&mut self, turn: u64) {
        self.body = Some((BodyEnd::Cut, turn));
    }

    pub(super) fn body_failed(&mut self, error: E, turn: u64) {
        self.body = Some((BodyEnd::Failed, turn));
        self.body_error = Some(error);
    }

    pub(super) fn body_panicked(&mut self, payload: Payload, turn: u64) {
        self.body = Some((BodyEnd::Panicked, turn));
        self.body_panic = Some(payload);
        self.see();
    }

    pub(super) fn failed(&mut self, error: E) {
        self.errors.push(error);
    }

    pub(super) fn panicked(&mut self, payload: Payload) {
        self.panics.push(payload);
        self.see();
    }

    /// There is a panic: it may be told when nothing runs here any more.
    fn see(&mut self) {
        self.witness = self.witness.take().or_else(Witness::here);
    }

    pub(super) fn unfinished(&mut self, location: &'static Location<'static>) {
        self.unfinished.push(location);
    }

    pub(super) fn cut(&mut self) {
        self.cut = true;
    }

    pub(super) fn cancelled(&mut self, turn: u64) {
        self.cancel_seen = Some(turn);
    }

    pub(super) fn is_cancelled(&self) -> bool {
        self.cancel_seen.is_some()
    }

    fn body_end(&self) -> BodyEnd {
        match (self.body, self.cancel_seen) {
            (None, _) => BodyEnd::Cut,
            (Some((BodyEnd::Since, _)), None) => BodyEnd::Before,
            (Some((BodyEnd::Since, ended)), Some(seen)) if ended < seen => BodyEnd::Before,
            (Some((end, _)), _) => end,
        }
    }

    fn facts(&self, link: &Link) -> Facts {
        Facts {
            body: self.body_end(),
            errors: !self.errors.is_empty(),
            panics: !self.panics.is_empty(),
            unfinished: !self.unfinished.is_empty(),
            cut: self.cut,
            own_deadline: is_own_deadline(link),
            outer: link.outer().is_cancelled(),
            on_panic: link.settings().on_panic,
        }
    }

    /// Whether, with `alive` members still to be dropped, there would be nothing
    /// to say but that the surroundings are cancelled.
    pub(super) fn is_cancelled_outside(&self, link: &Link, alive: bool) -> bool {
        let facts = self.facts(link);
        let facts = Facts {
            cut: facts.cut || alive,
            ..facts
        };
        exit(facts) == Exit::CancelledOutside
    }

    /// What the scope returns; `value` is the body's. `Err` is a panic to resume.
    pub(super) fn end<R>(
        &mut self,
        value: Option<R>,
        link: &Link,
    ) -> Result<Result<R, ScopeError<E>>, Box<dyn Any + Send>> {
        let exit = exit(self.facts(link));
        if exit == Exit::Value
            && let Some(value) = value
        {
            return Ok(Ok(value));
        }
        let dropped = drop_caught(value);
        dropped.into_iter().for_each(|panic| self.panicked(panic));
        let reason = || {
            let reason = link.token().reason();
            reason.unwrap_or_else(|| Reason::at(Cause::Requested, link.location))
        };
        Ok(Err(match exit {
            Exit::Panic => {
                let first = self.body_panic.take();
                return Err(first.unwrap_or_else(|| self.panics.remove(0)));
            }
            Exit::CancelledOutside => {
                ScopeError::Cancelled(link.outer().reason().unwrap_or_else(reason))
            }
            Exit::CancelledInside => ScopeError::Cancelled(reason()),
            Exit::Elapsed => ScopeError::Elapsed(Elapsed::at(reason().location())),
            Exit::Value | Exit::Failed => ScopeError::Failed(self.errors(link)),
        }))
    }

    /// Tells the runtime of the panics that are left, and why nothing returns them.
    pub(super) fn tell_runtime(&mut self, scope: &'static Location<'static>, why: &str) {
        let panics = self.body_panic.take().into_iter();
        for panic in panics.chain(self.panics.drain(..)).map(Panicked::new) {
            let message = panic.message();
            let message = message.as_deref().unwrap_or("a payload that is no text");
            if let Some(witness) = &self.witness {
                witness.tell(&format_args!(
                    "a panic in the scope made at {scope}, which {why}: {message}"
                ));
            }
            // What it may panic with itself is the story of this one.
            quietly(|| drop(panic));
        }
    }

    fn errors(&mut self, link: &Link) -> Errors<E> {
        let panics = self
            .body_panic
            .take()
            .into_iter()
            .chain(self.panics.drain(..));
        Errors {
            errors: self
                .body_error
                .take()
                .into_iter()
                .chain(self.errors.drain(..))
                .collect(),
            panics: panics.map(Panicked::new).collect(),
            unfinished: std::mem::take(&mut self.unfinished),
            reason: link
                .token()
                .reason()
                .filter(|reason| reason.cause() != Cause::Sibling),
        }
    }
}

/// Whether it was the scope's own deadline that cancelled it.
fn is_own_deadline(link: &Link) -> bool {
    let token = link.token();
    let reason = token.reason();
    let passed = |at| at <= crate::time::now();
    reason.is_some_and(|reason| reason.cause() == Cause::Deadline)
        && token.node().deadline().is_some_and(passed)
}
