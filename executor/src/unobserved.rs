//! Failures that nobody waits for any more: whom they are told.
//!
//! A task whose handle is gone has nobody to tell that it panicked. Neither has
//! one whose handle is dropped unread. Both tell the hook of their executor,
//! once, on the thread that drops the output; the panic hook of std has told of
//! the panic itself before. Whoever takes a panic and then keeps it to itself, a
//! scope or a set of tasks, tells by the [`Witness`] that came with it.

use std::fmt;
use std::panic::Location;
use std::sync::Arc;

use wakeline_context::quietly;

use crate::context;
use crate::debug::{Reporter, Subject};
use crate::task::{self, Id};

/// What the executor calls, if it was given something to call.
pub(crate) type Hook = Arc<dyn Fn(&Unobserved<'_>) + Send + Sync>;

/// A task's failure that nobody has looked at, as
/// [`Builder::on_unobserved`](crate::Builder::on_unobserved) is told of it.
///
/// Its `Display` is the message: a panic's text, a shielded task's error, or what a server
/// says of a handler that panicked or of `accept`.
#[derive(Clone, Copy)]
pub struct Unobserved<'a> {
    subject: &'a Subject,
    id: Id,
    message: &'a dyn fmt::Display,
}

impl Unobserved<'_> {
    /// The task's id, or that of the `block_on` whose future it was.
    #[must_use]
    pub fn id(&self) -> Id {
        self.id
    }

    /// The task's name, if it was given one.
    #[must_use]
    pub fn name(&self) -> Option<&str> {
        self.subject.name.as_deref()
    }

    /// The line that spawned the task, or called `block_on`.
    #[must_use]
    pub fn spawned_at(&self) -> &'static Location<'static> {
        self.subject.spawned_at
    }
}

impl fmt::Display for Unobserved<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.message.fmt(f)
    }
}

impl fmt::Debug for Unobserved<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Unobserved")
            .field("id", &self.id)
            .field("name", &self.subject.name)
            .field("spawned_at", &format_args!("{}", self.subject.spawned_at))
            .field("message", &format_args!("{}", self.message))
            .finish()
    }
}

/// Those whom a runtime tells: they may outlive it.
#[derive(Clone)]
pub(crate) struct Told {
    pub(crate) hook: Option<Hook>,
    pub(crate) debug: Option<Arc<Reporter>>,
}

/// Somebody whose failure perhaps nobody sees, and whom to tell then: also where neither
/// of them runs, or is, any more.
#[doc(hidden)]
#[derive(Clone)]
pub struct Witness {
    told: Told,
    subject: Subject,
    id: Id,
}

impl Witness {
    /// Of the task, or of the future of a `block_on`, that runs here.
    #[must_use]
    pub fn here() -> Option<Witness> {
        let (subject, id) = task::subject_here()?;
        let told = context::shared()?.told();
        Some(Witness::new(told, subject, id))
    }

    pub(crate) fn new(told: Told, subject: Subject, id: Id) -> Witness {
        Witness { told, subject, id }
    }

    /// Tells of a failure: the hook, whose panic must not reach the worker, and debug mode.
    pub fn tell(&self, message: &dyn fmt::Display) {
        if let Some(hook) = &self.told.hook {
            quietly(|| {
                hook(&Unobserved {
                    subject: &self.subject,
                    id: self.id,
                    message,
                });
            });
        }
        self.tell_debug(message);
    }

    /// Tells debug mode alone: of what fails in the course of things.
    pub fn tell_debug(&self, message: &dyn fmt::Display) {
        if let Some(debug) = &self.told.debug {
            quietly(|| debug.unobserved(self.subject.clone(), message.to_string()));
        }
    }
}

impl fmt::Debug for Witness {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Witness")
            .field("subject", &self.subject)
            .finish_non_exhaustive()
    }
}
