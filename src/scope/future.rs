//! What [`scope`](super::scope) returns, and what may be set before it is awaited.

use std::fmt;
use std::future::Future;
use std::panic::Location;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

use super::OnPanic;
use super::link::{Limit, Link};

macro_rules! future {
    ($ScopeFut:ident, [$($Send:ident)?], $of:literal) => {
        #[doc = $of]
        #[must_use = "a scope does nothing until it is awaited"]
        pub struct $ScopeFut<'e, R> {
            pub(super) future: Pin<Box<dyn Future<Output = R> $(+ $Send)? + 'e>>,
            pub(super) link: Arc<Link>,
        }

        impl<R> $ScopeFut<'_, R> {
            /// Cancels the scope at `deadline`: then its result is
            /// [`Elapsed`](crate::ScopeError::Elapsed), once all are gone.
            ///
            /// Unlike with [`timeout`](crate::time::timeout), which drops what it
            /// limits at once, finalizers are awaited.
            ///
            /// # Example
            ///
            /// ```
            /// use std::time::Duration;
            /// use wakeline::{ScopeError, scope, time};
            ///
            /// let result: Result<(), ScopeError<()>> = wakeline::block_on(
            ///     scope(|_s| std::future::pending()).deadline(time::now()),
            /// );
            /// assert!(result.unwrap_err().is_elapsed());
            /// ```
            #[track_caller]
            pub fn deadline(self, deadline: Instant) -> Self {
                self.link.settings().limit = Some((Limit::At(deadline), Location::caller()));
                self
            }

            /// [`deadline`](Self::deadline) so long after the first poll.
            ///
            /// # Example
            ///
            /// ```
            /// use std::time::Duration;
            /// use wakeline::{ScopeError, scope};
            ///
            /// let result: Result<(), ScopeError<()>> = wakeline::block_on(
            ///     scope(|_s| std::future::pending()).timeout(Duration::from_millis(1)),
            /// );
            /// assert!(result.unwrap_err().is_elapsed());
            /// ```
            #[track_caller]
            pub fn timeout(self, limit: Duration) -> Self {
                self.link.settings().limit = Some((Limit::After(limit), Location::caller()));
                self
            }

            /// How long body and children may go on after a cancel; see
            /// [`Scope::signal_grace`](crate::Scope::signal_grace).
            pub fn signal_grace(self, grace: Duration) -> Self {
                self.link.settings().signal_grace = grace;
                self
            }

            /// How long finalizers may take after a cancel; see
            /// [`Scope::cleanup_grace`](crate::Scope::cleanup_grace).
            pub fn cleanup_grace(self, grace: Duration) -> Self {
                self.link.settings().cleanup_grace = Some(grace);
                self
            }

            /// What becomes of panics; see [`Scope::on_panic`](crate::Scope::on_panic).
            pub fn on_panic(self, on_panic: OnPanic) -> Self {
                self.link.settings().on_panic = on_panic;
                self
            }
        }

        impl<R> Future for $ScopeFut<'_, R> {
            type Output = R;

            fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<R> {
                self.future.as_mut().poll(cx)
            }
        }

        impl<R> fmt::Debug for $ScopeFut<'_, R> {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.debug_struct(stringify!($ScopeFut))
                    .field("location", &format_args!("{}", self.link.location))
                    .finish_non_exhaustive()
            }
        }
    };
}

future!(ScopeFut, [Send], "The future of [`scope`](crate::scope()).");
future!(
    LocalScopeFut,
    [],
    "The future of [`scope_local`](crate::scope_local)."
);
