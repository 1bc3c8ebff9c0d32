//! What surrounds code, handed to and fro between a thread and its keeper.

use std::fmt;
use std::mem;

use super::{AnyToken, Locals, current_token, replace_locals, replace_token};
use crate::now::now;

/// Values and cancel token, away from the thread where they are in force by turns.
///
/// One word, and empty as a rule.
#[derive(Default)]
pub struct Ambient(Option<Box<Away>>);

struct Away {
    locals: Locals,
    token: Option<AnyToken>,
}

impl Ambient {
    /// None of it.
    #[must_use]
    pub const fn empty() -> Ambient {
        Ambient(None)
    }

    /// A snapshot of what is in force on this thread.
    #[must_use]
    #[inline]
    pub fn current() -> Ambient {
        if is_any_in_force() {
            Ambient(Some(Box::new(Away {
                locals: Locals::current(),
                token: current_token(),
            })))
        } else {
            Ambient::empty()
        }
    }

    /// Whether there is nothing to put in force.
    #[must_use]
    #[inline]
    pub fn is_empty(&self) -> bool {
        self.0.is_none()
    }

    /// Puts this in force, and keeps what was.
    ///
    /// # Example
    ///
    /// ```
    /// use std::sync::Arc;
    /// use wakeline_context::{Ambient, current_token, install_token};
    ///
    /// let mut ambient = Ambient::empty();
    /// let installed = install_token(Some(Arc::new(7)));
    /// ambient.exchange();
    /// assert!(current_token().is_none());
    /// ambient.exchange();
    /// assert!(current_token().is_some());
    /// # drop(installed);
    /// ```
    #[inline]
    pub fn exchange(&mut self) {
        if self.0.is_some() || is_any_in_force() {
            self.exchange_some();
        }
    }

    #[cold]
    #[inline(never)]
    fn exchange_some(&mut self) {
        let mut away = self.0.take().unwrap_or_else(|| {
            Box::new(Away {
                locals: Locals::empty(),
                token: None,
            })
        });
        away.locals = replace_locals(mem::take(&mut away.locals));
        away.token = replace_token(away.token.take());
        self.0 = Some(away);
    }
}

impl Drop for Ambient {
    /// In line where there is nothing, which is as a rule.
    #[inline]
    fn drop(&mut self) {
        #[cold]
        #[inline(never)]
        fn some(away: Box<Away>) {
            drop(away);
        }
        if let Some(away) = self.0.take() {
            some(away);
        }
    }
}

#[inline]
fn is_any_in_force() -> bool {
    now(|now| now.any_locals.get() || now.any_token.get())
}

impl fmt::Debug for Ambient {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Ambient").finish_non_exhaustive()
    }
}
