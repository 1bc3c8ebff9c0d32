//! What scopes tell: a child that was never polled, a finalizer that did not run.

use std::panic::Location;

use wakeline_context::{Cause, Reason, current_token};
use wakeline_sync::cancel::Node;

use super::{Subject, SubjectKind};
use crate::context;

/// Held by a future that was handed to a scope: reports if the future is dropped
/// and was never polled.
///
/// Whoever cancels the scope has decided about the child, so only a scope that is
/// dropped, or whose runtime ends, is reported on. The runtime is that of the
/// thread that drops the child.
#[doc(hidden)]
#[derive(Debug)]
pub struct Unpolled(Option<&'static Location<'static>>);

impl Unpolled {
    /// Watches the future that was spawned there, if the runtime of this thread is
    /// in debug mode.
    #[must_use = "it watches until it is dropped"]
    pub fn watch(at: &'static Location<'static>) -> Unpolled {
        Unpolled(context::has_debug().then_some(at))
    }

    /// The future is polled.
    pub fn polled(mut self) {
        self.0 = None;
    }
}

impl Drop for Unpolled {
    fn drop(&mut self) {
        let Some(spawned_at) = self.0 else {
            return;
        };
        if std::thread::panicking() {
            // There is worse to tell.
            return;
        }
        let Some(shared) = context::shared() else {
            return;
        };
        let reason = current_token()
            .and_then(|token| token.downcast_ref::<Node>().and_then(Node::reason))
            .unwrap_or_else(|| Reason::at(Cause::Dropped, spawned_at));
        if let Some(debug) = &shared.debug {
            debug.never_polled(|| subject(SubjectKind::Child, spawned_at), &reason);
        }
    }
}

/// The finalizer of a guard that was made there is dropped with its scope, and has not run
/// to its end: reports it, if the runtime of this thread is in debug mode.
#[doc(hidden)]
pub fn finalizer_dropped(made_at: &'static Location<'static>, reason: Reason) {
    let shared = context::shared();
    if let Some(debug) = shared.as_ref().and_then(|shared| shared.debug.as_ref()) {
        debug.finalizer_dropped(subject(SubjectKind::Guard, made_at), reason);
    }
}

fn subject(kind: SubjectKind, spawned_at: &'static Location<'static>) -> Subject {
    Subject {
        kind,
        id: None,
        name: None,
        spawned_at,
    }
}
