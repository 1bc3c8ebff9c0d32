//! What a handle says of the scope as a whole: cancel it, limit it.

use std::convert::Infallible;
use std::future::Future;
use std::panic::Location;
use std::time::{Duration, Instant};

use wakeline_context::Reason;

use super::OnPanic;
use super::child::Child;
use super::handle::{LocalScope, Scope};
use super::shared::{Finalizer, Work};
use crate::cancel::CancelToken;

macro_rules! limits {
    ($Scope:ident) => {
        impl<E> $Scope<'_, E> {
            /// Cancels the scope: body and children are dropped at the end of
            /// this turn (or after the signal grace), then finalizers run.
            /// Whether this call did it: the first reason stays.
            ///
            /// It is no failure. If the body has its value by then, that is what
            /// the scope returns; else `Cancelled` with the reason.
            ///
            /// # Example
            ///
            /// ```
            /// use wakeline::{ScopeError, scope};
            ///
            /// let result: Result<(), ScopeError<()>> = wakeline::block_on(scope(|s| async move {
            ///     s.cancel("not needed any more");
            ///     std::future::pending().await
            /// }));
            /// let Err(ScopeError::Cancelled(reason)) = result else { panic!() };
            /// assert_eq!(reason.text(), "not needed any more");
            /// ```
            #[track_caller]
            pub fn cancel(&self, reason: impl Into<Reason>) -> bool {
                self.core.link.token().cancel(reason)
            }

            /// Runs `future` in the cleanup lane: a cancel of the scope does not stop
            /// it, and its value can still be had.
            ///
            /// A future cannot resist a drop, so a shield is another owner: the
            /// scope waits for it as for a finalizer, after a cancel for the
            /// cleanup grace. If the scope is dropped from outside, the nearest
            /// one above that lives goes on with it. In a scope that is cancelled
            /// or has ended nothing new begins: it is dropped unpolled.
            ///
            /// # Example
            ///
            /// ```
            /// use wakeline::{ScopeError, scope, yield_now};
            ///
            /// let result: Result<u8, ScopeError<()>> = wakeline::block_on(scope(|s| async move {
            ///     let commit = s.shield(async {
            ///         yield_now().await; // whatever happens, this goes on
            ///         7
            ///     });
            ///     Ok(commit.await.unwrap())
            /// }));
            /// assert_eq!(result.unwrap(), 7);
            /// ```
            #[track_caller]
            pub fn shield<T, F>(&self, future: F) -> Child<T>
            where
                F: Future<Output = T> + Send + 'static,
                T: Send + 'static,
            {
                let link = &self.core.link;
                if let Some(reason) = self.core.refusal() {
                    drop(future);
                    return Child::refused(link, reason);
                }
                let (child, report) = Child::new(link);
                self.core.finalize(Finalizer {
                    origin: child.id(),
                    location: Location::caller(),
                    shield: true,
                    work: Work::Owned(Box::pin(async move {
                        let done: Result<(), Infallible> = report.split(Ok(future.await));
                        let Ok(()) = done;
                    })),
                });
                child
            }

            /// The scope's own token, a child of the one in force around it.
            ///
            /// It is in force in the body and in the children. Where it is asked for before
            /// the scope was polled, it is a child of the one in force there; so with what
            /// needs it: a cancel, a deadline, a task or a job as a child.
            ///
            /// # Example
            ///
            /// ```
            /// use wakeline::{ScopeError, checkpoint, scope};
            ///
            /// let result: Result<(), ScopeError<()>> = wakeline::block_on(scope(|s| async move {
            ///     let token = s.token(); // for code that knows no scope
            ///     token.cancel("enough");
            ///     assert!(checkpoint().is_err());
            ///     Ok(())
            /// }));
            /// assert!(result.is_ok());
            /// ```
            pub fn token(&self) -> CancelToken {
                self.core.link.token().clone()
            }

            /// Sets the scope's own deadline: earlier, later, or `None` for never.
            ///
            /// On a scope that is cancelled it has no effect.
            ///
            /// # Example
            ///
            /// ```
            /// use wakeline::{ScopeError, scope, time};
            ///
            /// let result: Result<(), ScopeError<()>> = wakeline::block_on(scope(|s| async move {
            ///     s.set_deadline(Some(time::now()));
            ///     std::future::pending().await
            /// }));
            /// assert!(result.unwrap_err().is_elapsed());
            /// ```
            #[track_caller]
            pub fn set_deadline(&self, deadline: Option<Instant>) {
                self.core.link.settings().limit = None;
                self.core.link.token().set_deadline(deadline);
            }

            /// How long body and children go on after a cancel, before they are
            /// dropped: for those who listen to the token. Zero by default.
            ///
            /// # Example
            ///
            /// ```
            /// use std::time::Duration;
            /// use wakeline::{ScopeError, current_token, scope, yield_now};
            ///
            /// let result: Result<&str, ScopeError<()>> = wakeline::block_on(scope(|s| async move {
            ///     s.signal_grace(Duration::from_secs(60));
            ///     s.cancel("please");
            ///     current_token().cancelled().await;
            ///     yield_now().await; // says goodbye
            ///     Ok("in time")
            /// }));
            /// assert_eq!(result.unwrap(), "in time");
            /// ```
            pub fn signal_grace(&self, grace: Duration) {
                self.core.link.settings().signal_grace = grace;
            }

            /// How long finalizers may take after a cancel; 1 s by default, and
            /// never more than a scope above allows.
            ///
            /// Those that are not done then are dropped, and the scope's result
            /// names their guards. A scope that is not cancelled waits for its
            /// finalizers as for a child.
            ///
            /// # Example
            ///
            /// ```
            /// use std::future::pending;
            /// use std::time::Duration;
            /// use wakeline::{ScopeError, scope};
            ///
            /// let result: Result<(), ScopeError<()>> = wakeline::block_on(scope(|s| async move {
            ///     s.cleanup_grace(Duration::from_millis(1));
            ///     let _stuck = s.guard((), |()| pending());
            ///     s.cancel("now");
            ///     pending().await
            /// }));
            /// assert_eq!(result.unwrap_err().errors().unwrap().unfinished().len(), 1);
            /// ```
            pub fn cleanup_grace(&self, grace: Duration) {
                self.core.link.settings().cleanup_grace = Some(grace);
            }

            /// What becomes of the panic of a child or a finalizer; by default
            /// the first one goes on once all are gone.
            ///
            /// # Example
            ///
            /// ```
            /// use wakeline::{OnPanic, ScopeError, scope};
            ///
            /// let result: Result<(), ScopeError<()>> = wakeline::block_on(scope(|s| async move {
            ///     s.on_panic(OnPanic::Collect);
            ///     s.spawn::<(), _>(async { panic!("planned") });
            ///     Ok(())
            /// }));
            /// let error = result.unwrap_err();
            /// assert_eq!(error.errors().unwrap().panics()[0].message().unwrap(), "planned");
            /// ```
            pub fn on_panic(&self, on_panic: OnPanic) {
                self.core.link.settings().on_panic = on_panic;
            }

            /// Says which errors only tell that the scope was cancelled.
            ///
            /// Code that stops for the token returns some error, too, and by that the scope
            /// has [`Failed`](crate::ScopeError::Failed). One for which `is_cancellation` is
            /// true is no failure: it cancels nobody and is not reported.
            ///
            /// # Example
            ///
            /// ```
            /// use std::time::Duration;
            /// use wakeline::{FutureExt, Cancelled, ScopeError, scope, time::sleep};
            ///
            /// let result: Result<(), ScopeError<Cancelled>> = wakeline::block_on(scope(|s| async move {
            ///     s.cancellations(|_: &Cancelled| true);
            ///     s.spawn(async { sleep(Duration::MAX).or_cancelled().await });
            ///     wakeline::yield_now().await;
            ///     s.cancel("enough");
            ///     Ok(())
            /// }));
            /// assert!(result.is_ok());
            /// ```
            pub fn cancellations(&self, is_cancellation: fn(&E) -> bool) {
                self.core.set_cancellation(is_cancellation);
            }
        }
    };
}

limits!(Scope);
limits!(LocalScope);
