//! Failures that nobody waits for any more: whom they are told.
//!
//! A task whose handle is gone has nobody to tell that it panicked. Neither has
//! one whose handle is dropped unread. Both tell the hook of their executor,
//! once, on the thread that drops the output; the panic hook of std has told of
//! the panic itself before.

use std::fmt;
use std::panic::Location;
use std::sync::Arc;

use wakeline_context::quietly;

use crate::debug::SubjectKind;
use crate::task::Id;

/// What the executor calls, if it was given something to call.
pub(crate) type Hook = Arc<dyn Fn(&Unobserved<'_>) + Send + Sync>;

/// A task's failure that nobody has looked at, as
/// [`Builder::on_unobserved`](crate::Builder::on_unobserved) is told of it.
///
/// Its `Display` is the message: a panic's text, or a shielded task's error.
#[derive(Clone, Copy)]
pub struct Unobserved<'a> {
    pub(crate) kind: SubjectKind,
    pub(crate) id: Id,
    pub(crate) name: Option<&'a Arc<str>>,
    pub(crate) spawned_at: &'static Location<'static>,
    pub(crate) message: &'a dyn fmt::Display,
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
        self.name.map(|name| &**name)
    }

    /// The line that spawned the task, or called `block_on`.
    #[must_use]
    pub fn spawned_at(&self) -> &'static Location<'static> {
        self.spawned_at
    }

    /// Tells the hook, whose panic must not reach the worker.
    pub(crate) fn tell(&self, hook: Option<&Hook>) {
        if let Some(hook) = hook {
            quietly(|| hook(self));
        }
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
            .field("name", &self.name)
            .field("spawned_at", &format_args!("{}", self.spawned_at))
            .field("message", &format_args!("{}", self.message))
            .finish()
    }
}
