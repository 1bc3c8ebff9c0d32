//! A child that runs elsewhere: as a task, or on a thread that may block.
//!
//! It borrows nothing, so it can run in parallel. It is still the scope's: the
//! scope does not leave before it is gone. When it is dropped here (the scope is
//! dropped from outside), it is aborted, and waiting for its end is handed
//! upward.

use std::future::Future;
use std::panic::{Location, resume_unwind};
use std::pin::Pin;
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll};

use wakeline_context::{Cause, Reason, quietly};
use wakeline_executor::{Handle, JoinHandle, spawn};

use super::adopt::{Orphan, Owned, adopt};
use super::link::{Link, lock};
use super::member::{End, Place, Placed};
use crate::cancel::CancelToken;

pub(super) struct TaskChild<E> {
    /// Taken when it has resolved, or is handed upward.
    handle: Option<JoinHandle<()>>,
    /// Here and not in the handle, which must not know of `E`: it is handed to
    /// those who do not either.
    result: Arc<Mutex<Option<Result<(), E>>>>,
    link: Arc<Link>,
    /// The token of a job, which an abort of it alone does not drop but tells.
    token: Option<CancelToken>,
    location: &'static Location<'static>,
    /// The scope has aborted it, or the child's handle.
    aborted: bool,
}

impl<E: Send + 'static> TaskChild<E> {
    #[track_caller]
    pub(super) fn spawn(
        future: impl Future<Output = Result<(), E>> + Send + 'static,
        place: Place,
    ) -> TaskChild<E> {
        let result = Arc::new(Mutex::new(None));
        let link = Arc::clone(&place.link);
        let future = Placed::new(Box::pin(future), place);
        let slot = Arc::clone(&result);
        let handle = spawn(async move {
            let result = future.await;
            *lock(&slot) = Some(result);
        });
        TaskChild {
            handle: Some(handle),
            result,
            link,
            token: None,
            location: Location::caller(),
            aborted: false,
        }
    }

    #[track_caller]
    pub(super) fn spawn_blocking(
        job: impl FnOnce() -> Result<(), E> + Send + 'static,
        mut place: Place,
    ) -> TaskChild<E> {
        let token = place.link.token().child();
        place.token = token.to_any();
        let result = Arc::new(Mutex::new(None));
        let link = Arc::clone(&place.link);
        let slot = Arc::clone(&result);
        let handle = Handle::current().spawn_blocking(move || {
            let result = place.run(job);
            *lock(&slot) = Some(result);
        });
        TaskChild {
            handle: Some(handle),
            result,
            link,
            token: Some(token),
            location: Location::caller(),
            aborted: false,
        }
    }
}

impl<E> TaskChild<E> {
    /// On request of who is at this line.
    pub(super) fn abort(&mut self, by: &'static Location<'static>) {
        self.aborted = true;
        let reason = Reason::at(Cause::Aborted, by);
        if let Some(token) = &self.token {
            // The job may wait for it: a waker that panics is not this scope's.
            quietly(|| _ = token.cancel(reason.clone()));
        }
        if let Some(handle) = &self.handle {
            handle.cancel(reason);
        }
    }

    pub(super) fn poll_end(&mut self, cx: &mut Context<'_>) -> Poll<Result<End, E>> {
        let handle = self.handle.as_mut().expect("polled until it was ready");
        let joined = std::task::ready!(Pin::new(handle).poll(cx));
        self.handle = None;
        Poll::Ready(match joined {
            Ok(()) => match lock(&self.result).take() {
                Some(Err(error)) => Err(error),
                _ => Ok(End::Done),
            },
            Err(error) if error.is_cancelled() => Ok(match self.aborted {
                true => End::Aborted,
                false => End::Cut,
            }),
            Err(error) => match error.try_into_panic() {
                Ok(payload) => resume_unwind(payload),
                // As with std's scopes. There is no `E` that could say it.
                Err(error) => panic!("the child spawned at {}: {error}", self.location),
            },
        })
    }
}

impl<E> Drop for TaskChild<E> {
    fn drop(&mut self) {
        if let Some(handle) = self.handle.take() {
            handle.abort();
            let work: Owned = Box::pin(async move {
                // A panic of the orphan is the adopter's to report.
                if let Err(error) = handle.await
                    && let Ok(payload) = error.try_into_panic()
                {
                    resume_unwind(payload);
                }
            });
            let location = self.location;
            adopt(&self.link, Orphan { work, location });
        }
    }
}
