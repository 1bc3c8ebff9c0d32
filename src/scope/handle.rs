//! `Scope` and `LocalScope`: what code inside of a scope holds.
//!
//! Both are the same handle to [`Core`]; they differ in the type of a boxed
//! child, and so in what they ask of it.

use std::fmt;
use std::future::Future;
use std::panic::Location;
use std::sync::Arc;

use wakeline_executor::debug::Unpolled;

use super::child::Child;
use super::error::SpawnError;
use super::guard::{Guard, LocalGuard};
use super::link::Runs;
use super::member::{Kind, Place};
use super::shared::{Arrival, Core, Work};
use super::start::{LocalStart, Ready, Start};
use super::task_child::TaskChild;
use super::{LocalFuture, SendFuture};

/// The handle of a scope: spawns children, cancels, sets limits.
///
/// Clones are the same scope. A handle that outlives its scope is harmless: what
/// is spawned is refused. Children are bound by `'e`, what the scope borrows, and
/// not by the handle, so they may themselves spawn through a clone of it.
///
/// # Example
///
/// ```
/// use wakeline::{ScopeError, scope};
///
/// let names = vec![String::from("a"), String::from("b")];
/// let result: Result<usize, ScopeError<()>> = wakeline::block_on(scope(|s| {
///     let names = &names; // children borrow what is outside of the scope
///     async move {
///         let lens: Vec<_> = names.iter().map(|n| s.spawn(async move { Ok(n.len()) })).collect();
///         let mut sum = 0;
///         for len in lens {
///             sum += len.await.unwrap();
///         }
///         Ok(sum)
///     }
/// }));
/// assert_eq!(result.unwrap(), 2);
/// ```
pub struct Scope<'e, E> {
    pub(super) core: Arc<Core<SendFuture<'e, E>, E>>,
}

/// The handle of a [`scope_local`](super::scope_local): as [`Scope`], and
/// nothing in it need be `Send`.
///
/// # Example
///
/// ```
/// use std::cell::Cell;
/// use wakeline::{ScopeError, scope_local};
///
/// let count = Cell::new(0); // not `Sync`
/// let result: Result<(), ScopeError<()>> = wakeline::block_on(scope_local(|s| {
///     let count = &count;
///     async move {
///         for _ in 0..3 {
///             s.spawn(async move { Ok(count.set(count.get() + 1)) });
///         }
///         Ok(())
///     }
/// }));
/// assert!(result.is_ok());
/// assert_eq!(count.get(), 3);
/// ```
pub struct LocalScope<'e, E> {
    pub(super) core: Arc<Core<LocalFuture<'e, E>, E>>,
}

macro_rules! methods {
    ($Scope:ident, $Future:ident, $Guard:ident, $Start:ident, [$($Send:ident)?]) => {
        impl<'e, E: $($Send +)? 'e> $Scope<'e, E> {
            /// Runs `future` as a child, concurrently in the scope's own task.
            ///
            /// It is first polled after the code that spawns it has come to a
            /// suspension point, and the scope does not leave before it is done.
            /// If it fails, its siblings and the body are cancelled, and the
            /// scope returns its error. In a scope that is cancelled or has ended
            /// it is dropped unpolled, and the handle says `Cancelled`.
            ///
            /// # Example
            ///
            /// ```
            /// use wakeline::{ScopeError, scope};
            ///
            /// let result: Result<u8, ScopeError<()>> = wakeline::block_on(scope(|s| async move {
            ///     let child = s.spawn(async { Ok(7) });
            ///     Ok(child.await.unwrap())
            /// }));
            /// assert_eq!(result.unwrap(), 7);
            /// ```
            #[track_caller]
            pub fn spawn<T, F>(&self, future: F) -> Child<T>
            where
                F: Future<Output = Result<T, E>> $(+ $Send)? + 'e,
                T: $($Send +)? 'e,
            {
                match self.try_spawn(future) {
                    Ok(child) => child,
                    Err(refused) => Child::refused(&self.core.link, refused.reason),
                }
            }

            /// As `spawn`, but gives the future back if the scope takes no more
            /// children.
            ///
            /// # Errors
            ///
            /// [`SpawnError`] with the future, which was not polled, if the scope
            /// is cancelled, has failed, or has ended.
            ///
            /// # Example
            ///
            /// ```
            /// use wakeline::{ScopeError, scope};
            ///
            /// let result: Result<(), ScopeError<()>> = wakeline::block_on(scope(|s| async move {
            ///     s.cancel("enough");
            ///     let error = s.try_spawn(async { Ok(1) }).unwrap_err();
            ///     assert_eq!(error.reason().unwrap().text(), "enough");
            ///     let _future = error.into_inner();
            ///     Ok(())
            /// }));
            /// assert!(result.is_ok());
            /// ```
            #[track_caller]
            pub fn try_spawn<T, F>(&self, future: F) -> Result<Child<T>, SpawnError<F>>
            where
                F: Future<Output = Result<T, E>> $(+ $Send)? + 'e,
                T: $($Send +)? 'e,
            {
                if let Some(reason) = self.core.refusal() {
                    return Err(SpawnError { future, reason });
                }
                let (child, report) = Child::new(&self.core.link);
                let unpolled = Unpolled::watch(Location::caller());
                let future: $Future<'e, E> = Box::pin(async move {
                    unpolled.polled();
                    report.split(future.await)
                });
                let arrival = Arrival { id: child.id(), kind: Kind::Here(future) };
                // If the scope has ended since, on another thread, the future
                // goes, and the handle says so.
                drop(self.core.admit(arrival));
                Ok(child)
            }

            /// Runs `future` as a task of its own, so in parallel; still a child.
            ///
            /// It can borrow nothing. When the scope is cancelled it is aborted,
            /// and the scope does not leave before it is gone.
            ///
            /// # Panics
            ///
            /// Outside of a runtime, with advice.
            ///
            /// # Example
            ///
            /// ```
            /// use wakeline::{ScopeError, scope};
            ///
            /// let result: Result<u8, ScopeError<()>> = wakeline::block_on(scope(|s| async move {
            ///     let parallel = s.spawn_task(async { Ok(7) });
            ///     Ok(parallel.await.unwrap())
            /// }));
            /// assert_eq!(result.unwrap(), 7);
            /// ```
            #[track_caller]
            pub fn spawn_task<T, F>(&self, future: F) -> Child<T>
            where
                F: Future<Output = Result<T, E>> + Send + 'static,
                T: Send + 'static,
                E: Send + 'static,
            {
                let link = &self.core.link;
                if let Some(reason) = self.core.refusal() {
                    drop(future);
                    return Child::refused(link, reason);
                }
                let (child, report) = Child::new(link);
                let future = async move { report.split(future.await) };
                let task = TaskChild::spawn(future, Place::elsewhere(link, child.id(), Runs::AsTask));
                // If the scope has ended since, the task is aborted by this drop.
                drop(self.core.admit(Arrival { id: child.id(), kind: Kind::Task(task) }));
                child
            }

            /// Runs `job` on a thread that may block; a child like any other.
            ///
            /// A job that runs cannot be stopped: the scope waits for it, also
            /// when it is cancelled. One that waits for a thread is dropped then.
            /// The job can ask [`checkpoint`](crate::checkpoint) whether it
            /// should go on.
            ///
            /// If no thread can be started for it, that counts as a panic of the child.
            ///
            /// # Panics
            ///
            /// Outside of a runtime, with advice.
            ///
            /// # Example
            ///
            /// ```
            /// use wakeline::{ScopeError, scope};
            ///
            /// let result: Result<u32, ScopeError<()>> = wakeline::block_on(scope(|s| async move {
            ///     let sum = s.spawn_blocking(|| Ok((1..=4).sum()));
            ///     Ok(sum.await.unwrap())
            /// }));
            /// assert_eq!(result.unwrap(), 10);
            /// ```
            #[track_caller]
            pub fn spawn_blocking<T, J>(&self, job: J) -> Child<T>
            where
                J: FnOnce() -> Result<T, E> + Send + 'static,
                T: Send + 'static,
                E: Send + 'static,
            {
                let link = &self.core.link;
                if let Some(reason) = self.core.refusal() {
                    drop(job);
                    return Child::refused(link, reason);
                }
                let (child, report) = Child::new(link);
                let job = move || report.split(job());
                let task = TaskChild::spawn_blocking(job, Place::elsewhere(link, child.id(), Runs::OnThread));
                drop(self.core.admit(Arrival { id: child.id(), kind: Kind::Task(task) }));
                child
            }

            /// Starts a child and waits until it says that it is ready.
            ///
            /// `make` gets a [`Ready`]; the child calls
            /// [`ready.set(value)`](Ready::set), and that value is the output.
            /// Until then the child runs as a part of the code that awaits the
            /// start: dropping that cancels the child, and a cancel of this scope
            /// does not reach it. From then on it is a child of this scope, which
            /// stays open while a start is in progress.
            ///
            /// # Errors
            ///
            /// [`StartError::Failed`](super::StartError) if the child failed
            /// before; [`NotReady`](super::StartError::NotReady) if it ended, or
            /// let go of its `Ready`; [`Refused`](super::StartError::Refused) if
            /// the scope has ended or is cancelled at the first poll.
            ///
            /// # Panics
            ///
            /// With the child's panic, if it panics before it is ready.
            ///
            /// # Cancellation
            ///
            /// Dropping the future before the child is ready drops the child.
            ///
            /// # Example
            ///
            /// ```
            /// use wakeline::net::TcpListener;
            /// use wakeline::{ScopeError, io, scope};
            ///
            /// let result: Result<(), ScopeError<std::io::Error>> =
            ///     wakeline::block_on(scope(|s| async move {
            ///         let address = s
            ///             .start(|ready| async move {
            ///                 let listener = TcpListener::bind("127.0.0.1:0").await?;
            ///                 let _ = ready.set(listener.local_addr()?);
            ///                 loop {
            ///                     listener.accept().await?;
            ///                 }
            ///             })
            ///             .await
            ///             .expect("it is bound now");
            ///         assert_ne!(address.port(), 0);
            ///         s.cancel("that was all");
            ///         Ok(())
            ///     }));
            /// assert!(result.is_ok());
            /// ```
            #[track_caller]
            pub fn start<V, M, F>(&self, make: M) -> $Start<'e, V, E>
            where
                M: FnOnce(Ready<V>) -> F,
                F: Future<Output = Result<(), E>> $(+ $Send)? + 'e,
                V: $($Send +)? 'e,
            {
                $Start::new(&self.core, make)
            }

            /// Keeps `value` with an asynchronous finalizer, which borrows what
            /// it likes.
            ///
            /// The finalizer runs once: inline by [`close`](Guard::close), or,
            /// when the guard is dropped, in the scope's cleanup lane, also if the
            /// scope is cancelled. If the scope itself is dropped from outside,
            /// nothing that borrows can go on: then the value is dropped as it
            /// is, and debug mode tells of it. See `guard_static`.
            ///
            /// # Example
            ///
            /// ```
            /// use std::sync::Mutex;
            /// use wakeline::{ScopeError, scope};
            ///
            /// let log = Mutex::new(Vec::new());
            /// let result: Result<(), ScopeError<()>> = wakeline::block_on(scope(|s| {
            ///     let log = &log;
            ///     async move {
            ///         let connection = s.guard("conn", move |name| async move {
            ///             wakeline::yield_now().await; // says goodbye
            ///             log.lock().unwrap().push(name);
            ///         });
            ///         assert_eq!(connection.len(), 4);
            ///         Ok(()) // the guard goes here; the scope waits for its finalizer
            ///     }
            /// }));
            /// assert!(result.is_ok());
            /// assert_eq!(*log.lock().unwrap(), ["conn"]);
            /// ```
            #[track_caller]
            pub fn guard<T, M, F>(&self, value: T, finalizer: M) -> $Guard<'e, T, E>
            where
                T: $($Send +)? 'e,
                M: FnOnce(T) -> F $(+ $Send)? + 'e,
                F: Future<Output = ()> $(+ $Send)? + 'e,
            {
                $Guard::new(&self.core, value, Box::new(move |value| {
                    Work::Borrowed(Box::pin(async move {
                        finalizer(value).await;
                        Ok(())
                    }))
                }))
            }

            /// As `guard`, for a finalizer that borrows nothing: it runs also if
            /// the scope is dropped from outside.
            ///
            /// Then the nearest scope above that lives runs it in its own lane,
            /// ultimately the runtime, with the cleanup grace of this scope as
            /// the limit.
            ///
            /// # Example
            ///
            /// ```
            /// use std::time::Duration;
            /// use wakeline::{ScopeError, scope, sync::oneshot, time::timeout};
            ///
            /// wakeline::block_on(async {
            ///     let (said, hears) = oneshot::channel();
            ///     let dropped = scope(|s| async move {
            ///         let _guard = s.guard_static(said, |said| async move {
            ///             wakeline::yield_now().await;
            ///             let _ = said.send("goodbye");
            ///         });
            ///         std::future::pending::<Result<(), ()>>().await
            ///     });
            ///     assert!(timeout(Duration::from_millis(1), dropped).await.is_err());
            ///     assert_eq!(hears.await, Ok("goodbye"));
            /// });
            /// ```
            #[track_caller]
            pub fn guard_static<T, M, F>(&self, value: T, finalizer: M) -> $Guard<'e, T, E>
            where
                T: Send + 'static,
                M: FnOnce(T) -> F + Send + 'static,
                F: Future<Output = ()> + Send + 'static,
            {
                $Guard::new(&self.core, value, Box::new(move |value| {
                    Work::Owned(Box::pin(async move { finalizer(value).await }))
                }))
            }
        }

        impl<E> $Scope<'_, E> {
            pub(super) fn new(core: Arc<Core<$Future<'_, E>, E>>) -> $Scope<'_, E> {
                $Scope { core }
            }
        }

        impl<E> Clone for $Scope<'_, E> {
            fn clone(&self) -> Self {
                $Scope { core: Arc::clone(&self.core) }
            }
        }

        impl<E> fmt::Debug for $Scope<'_, E> {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.debug_struct(stringify!($Scope))
                    .field("location", &format_args!("{}", self.core.link.location))
                    .finish_non_exhaustive()
            }
        }
    };
}

methods!(Scope, SendFuture, Guard, Start, [Send]);
methods!(LocalScope, LocalFuture, LocalGuard, LocalStart, []);
