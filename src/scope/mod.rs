//! Structured concurrency: a scope leaves only when all it has started is gone.
//!
//! ```text
//!   scope(|s| async move { .. })          one future, polled where it is awaited
//!    ├─ body
//!    ├─ s.spawn(..)                       children: borrow, same task
//!    ├─ s.spawn_task(..)                  children: own, in parallel
//!    └─ cleanup lane ◀── guards dropped   finalizers: awaited before it leaves
//! ```
//!
//! The first failure cancels the rest; all errors are in the result. A cancel,
//! wherever it comes from, has three phases: the token *signals*, what is left is
//! *dropped* where it stands, finalizers *clean up*, for a bounded time.
//! `driver.rs` draws them.
//!
//! # What a child is
//!
//! A future that the scope polls inside of its own task, with a waker of its own
//! (`wakeline_sync::children`): a hundred idle children cost nothing when one is
//! woken. It is bound by `'e`, what surrounds the scope, so it may borrow that,
//! and not by the body, whose locals it may not borrow.
//!
//! # Why this is sound, in safe code only
//!
//! - Children and finalizers are kept in `Core` (`shared.rs`) and in the
//!   `Driver` (`driver.rs`), both typed by `'e`: no one can use them after it.
//! - Only the driver polls them, and it is borrowed (pinned) while it does. A
//!   child never runs while its parent merely waits somewhere else.
//! - When the driver ends or is dropped, it empties both. A handle that survives
//!   keeps an empty `Core`, so the cycle child ▶ handle ▶ `Core` ▶ child is cut.
//! - A driver that is leaked leaks its children with it: nobody polls them any
//!   more, and every handle that is left is typed by `'e`, too.
//! - What leaves the scope alive (tasks, finalizers handed upward) is `'static`,
//!   by the bounds of `spawn_task` and `guard_static`.
//!
//! The compiler refuses these, and the tests of this page hold it to that:
//!
//! A child that borrows a local of the body:
//!
//! ```compile_fail,E0373
//! let _ = wakeline::scope::<(), (), _, _>(|s| async move {
//!     let local = String::from("gone when the body is");
//!     s.spawn(async { Ok(println!("{local}")) });
//!     Ok(())
//! });
//! ```
//!
//! ```compile_fail,E0597
//! let _ = wakeline::scope::<(), (), _, _>(|s| async move {
//!     let local = String::from("gone when the body is");
//!     let borrow = &local;
//!     s.spawn(async move { Ok(println!("{borrow}")) });
//!     Ok(())
//! });
//! ```
//!
//! A handle that escapes what its children borrow:
//!
//! ```compile_fail,E0597
//! let mut escaped = None;
//! {
//!     let data = String::from("short");
//!     let data = &data;
//!     let _ = wakeline::scope::<(), (), _, _>(|s| {
//!         s.spawn(async move { Ok(println!("{data}")) });
//!         escaped = Some(s.clone());
//!         async { Ok(()) }
//!     });
//! }
//! drop(escaped);
//! ```
//!
//! Changing what is borrowed while the scope lives:
//!
//! ```compile_fail,E0506
//! let mut number = 1;
//! let shared = &number;
//! let future = wakeline::scope::<(), (), _, _>(|s| {
//!     s.spawn(async move { Ok(println!("{shared}")) });
//!     async { Ok(()) }
//! });
//! number = 2;
//! wakeline::block_on(future).unwrap();
//! ```
//!
//! Spawning a scope that borrows as a task:
//!
//! ```compile_fail,E0597
//! # wakeline::block_on(async {
//! let data = String::from("on this stack");
//! let borrow = &data;
//! let future = wakeline::scope::<(), (), _, _>(|s| async move {
//!     s.spawn(async move { Ok(println!("{borrow}")) });
//!     Ok(())
//! });
//! drop(wakeline::spawn(future));
//! # });
//! ```
//!
//! A task that borrows:
//!
//! ```compile_fail,E0597
//! let data = String::from("on this stack");
//! let borrow = &data;
//! let future = wakeline::scope::<(), (), _, _>(|s| async move {
//!     s.spawn_task(async move { Ok(println!("{borrow}")) });
//!     Ok(())
//! });
//! wakeline::block_on(future).unwrap();
//! ```
//!
//! | file            | what is there                                               |
//! |-----------------|-------------------------------------------------------------|
//! | `driver.rs`     | the future of a scope: read it first; then `members.rs`     |
//! | `future.rs`     | [`ScopeFut`] and [`LocalScopeFut`]: its limits from outside  |
//! | `exit.rs`       | which outcome wins, a table; `story.rs` collects its inputs |
//! | `shared.rs`     | what handles leave for the driver                           |
//! | `link.rs`       | token, limits, place in the tree                            |
//! | `member.rs`     | one future of the set, and its surroundings                 |
//! | `handle.rs`     | [`Scope`] and [`LocalScope`]; `limits.rs` the rest of them   |
//! | `child.rs`      | [`Child`]; `task_child.rs` those that run elsewhere         |
//! | `start.rs`      | waiting until a child is ready                              |
//! | `guard.rs`      | values with finalizers; `lane.rs` their order               |
//! | `hard_drop.rs`  | dropped from outside; `adopt.rs` who takes over             |
//! | `error.rs`      | [`ScopeError`] and the others                               |

mod adopt;
mod child;
mod driver;
mod error;
mod exit;
mod future;
mod guard;
mod handle;
mod hard_drop;
mod lane;
mod limits;
mod link;
mod member;
mod members;
mod patience;
mod shared;
mod start;
mod story;
mod task_child;

pub use child::Child;
pub use error::{ChildError, Errors, Panicked, ScopeError, SpawnError, StartError};
pub use future::{LocalScopeFut, ScopeFut};
pub use guard::{Close, Guard, LocalClose, LocalGuard};
pub use handle::{LocalScope, Scope};
pub use start::{LocalStart, Ready, Start};

use std::future::Future;
use std::panic::Location;
use std::pin::Pin;
use std::sync::{Arc, Mutex};

use driver::Driver;
use link::{Link, lock};
use shared::Core;
use wakeline_sync::children::Children;

/// A child of a scope, boxed.
type SendFuture<'e, E> = Pin<Box<dyn Future<Output = Result<(), E>> + Send + 'e>>;
/// A child of a local scope, boxed.
type LocalFuture<'e, E> = Pin<Box<dyn Future<Output = Result<(), E>> + 'e>>;

/// What becomes of the panic of a child or a finalizer. Either way it cancels
/// the others.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum OnPanic {
    /// Once all are gone, the first panic goes on from where the scope is
    /// awaited, the body's before those of children: as `std::thread::scope`.
    #[default]
    Resume,
    /// The scope fails, and its [`Errors`] have the panics.
    Collect,
}

macro_rules! constructor {
    ($Scope:ident, $ScopeFut:ident, $Future:ident, $body:ident) => {{
        let set = Children::new();
        let link = Arc::new(Link::new(set.nudge(), Location::caller()));
        let core = Arc::new(Core::new(Arc::clone(&link)));
        let value = Arc::new(Mutex::new(None));
        // The driver first: if the closure panics, it empties the core.
        let mut driver = Driver::new(set, Arc::clone(&core), Arc::clone(&value), link.location);
        let body = $body($Scope::new(core));
        let boxed: $Future<'e, E> = Box::pin(async move {
            let result = body.await?;
            *lock(&value) = Some(result);
            Ok(())
        });
        driver.body = Some(boxed);
        $ScopeFut {
            future: Box::pin(driver),
            link,
        }
    }};
}

/// Runs `body` and the children it spawns; ready when **all** of them are gone.
///
/// `body` is called at once and only makes a future; nothing runs before the
/// scope is polled. If the body and all children succeed, the result is the
/// body's value. The first failure, of the body or of a child, cancels all
/// others; the result then has all errors. See the [module](self) for what a
/// cancel does.
///
/// # Errors
///
/// - [`ScopeError::Failed`] with all errors, the body's first, if there was one;
///   also if finalizers did not finish within the cleanup grace
/// - [`ScopeError::Cancelled`] if the scope was cancelled, from outside or by
///   [`Scope::cancel`], before the body had its value
/// - [`ScopeError::Elapsed`] if the scope's own deadline passed; it says which line set that
///
/// Of scopes that are cancelled together, the outermost reports. Where body or children
/// return an error *because* they were cancelled, as with
/// [`or_cancelled`](crate::FutureExt::or_cancelled) and `?`, that is a failure,
/// unless [`Scope::cancellations`] says which errors are none.
///
/// # Panics
///
/// With the first panic of the body or a child, once all are gone (see
/// [`Scope::on_panic`]; the runtime is told of others); if it is polled after its end.
///
/// # Cancellation
///
/// Dropping the future drops body and children where they stand. Tasks and
/// [static](Scope::guard_static) finalizers are handed upward, to the nearest
/// scope that lives, else to the runtime; finalizers that borrow are dropped.
/// Errors that it had not yet returned are dropped with it; of a panic
/// [`Builder::on_unobserved`](crate::Builder::on_unobserved) is told.
///
/// # Example
///
/// ```
/// use wakeline::{ScopeError, scope};
///
/// async fn sizes(pages: &[&str]) -> Result<usize, ScopeError<std::io::Error>> {
///     scope(|s| async move {
///         let sizes: Vec<_> = pages
///             .iter()
///             .map(|page| s.spawn(async move { Ok(page.len()) })) // fetch it
///             .collect();
///         let mut sum = 0;
///         for size in sizes {
///             sum += size.await.unwrap_or(0);
///         }
///         Ok(sum)
///     })
///     .await
/// }
/// assert_eq!(wakeline::block_on(sizes(&["a", "bc"])).unwrap(), 3);
/// ```
///
/// What children borrow must live outside of the scope: the body owns what it declares,
/// and is gone first. As `async move` would take a local variable into the body,
/// give it a reference:
///
/// ```
/// use wakeline::scope;
///
/// # wakeline::block_on(async {
/// let name = String::from("wakeline");
/// let name = &name; // what is moved below
/// scope::<_, (), _, _>(|s| async move {
///     s.spawn(async move { Ok(println!("hello, {name}")) });
///     s.spawn(async move { Ok(println!("goodbye, {name}")) });
///     Ok(()) // of which error type is said above, as no `?` says it
/// })
/// .await
/// # }).unwrap();
/// ```
#[track_caller]
pub fn scope<'e, R, E, B, Fut>(body: B) -> ScopeFut<'e, Result<R, ScopeError<E>>>
where
    B: FnOnce(Scope<'e, E>) -> Fut,
    Fut: Future<Output = Result<R, E>> + Send + 'e,
    R: Send + 'e,
    E: Send + 'e,
{
    constructor!(Scope, ScopeFut, SendFuture, body)
}

/// As [`scope`], for children that need not be `Send`: it stays on its thread.
///
/// # Errors
///
/// As [`scope`].
///
/// # Panics
///
/// As [`scope`].
///
/// # Cancellation
///
/// As [`scope`].
///
/// # Example
///
/// ```
/// use std::rc::Rc;
/// use wakeline::{ScopeError, scope_local};
///
/// let result: Result<usize, ScopeError<()>> = wakeline::block_on(scope_local(|s| async move {
///     let shared = Rc::new(5);
///     let theirs = Rc::clone(&shared);
///     let child = s.spawn(async move { Ok(*theirs) });
///     Ok(*shared + child.await.unwrap())
/// }));
/// assert_eq!(result.unwrap(), 10);
/// ```
#[track_caller]
pub fn scope_local<'e, R, E, B, Fut>(body: B) -> LocalScopeFut<'e, Result<R, ScopeError<E>>>
where
    B: FnOnce(LocalScope<'e, E>) -> Fut,
    Fut: Future<Output = Result<R, E>> + 'e,
    R: 'e,
    E: 'e,
{
    constructor!(LocalScope, LocalScopeFut, LocalFuture, body)
}
