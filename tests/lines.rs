//! The lines that a dump, a report and a panic name: the user's, never wakeline's own.

mod support;

use std::future::{Future, pending, poll_fn};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::pin;
use std::sync::atomic::{AtomicU32, Ordering::SeqCst};
use std::sync::{Arc, OnceLock};
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use support::{Backend, for_each_backend};
use wakeline::future::When;
use wakeline::net::{TcpListener, TcpStream, serve};
use wakeline::pool::{Manager, Pool};
use wakeline::retry::Retry;
use wakeline::stream::{self, FlowExt, StreamExt};
use wakeline::sync::RateLimiter;
use wakeline::task::Kind;
use wakeline::{
    CancelToken, ChildError, FutureExt, Handle, JoinHandle, JoinSet, ScopeError, ScopeFut, future,
    retry, scope, spawn, time, yield_now,
};

/// Longer than any test.
const LONG: Duration = Duration::from_secs(1_000);

/// Where a test notes the line that it expects.
type Line = Arc<AtomicU32>;

/// Runs `waits` as a task: a dump must name the line that it has noted.
#[track_caller]
fn assert_names_the_line<F>(waits: impl Fn(Line) -> F)
where
    F: Future + Send + 'static,
    F::Output: Send,
{
    for_each_backend(|backend| {
        let line = Line::default();
        let told = backend.runtime(1).block_on(async {
            let task = spawn(waits(Arc::clone(&line)));
            loop {
                yield_now().await;
                let dump = Handle::current().dump();
                let info = dump.tasks.iter().find(|info| info.id == task.id());
                let waiting = info.expect("it does not end").waiting_on;
                match waiting.filter(|_| line.load(SeqCst) != 0) {
                    Some(waiting) if waiting.kind != Kind::Yield => break waiting.location,
                    _ => {}
                }
            }
        });
        assert_eq!((told.file(), told.line()), (file!(), line.load(SeqCst)));
    });
}

/// Polls `future`, which needs a runtime, where none is: the panic must name `line`.
#[track_caller]
fn assert_panic_names(line: u32, future: impl Future) {
    let mut future = pin!(future);
    let mut cx = Context::from_waker(Waker::noop());
    let poll = AssertUnwindSafe(|| future.as_mut().poll(&mut cx).is_ready());
    let panic = catch_unwind(poll).expect_err("there is no runtime");
    let text = panic.downcast_ref::<String>().expect("a text");
    assert!(text.contains(&format!(" {}:{line}:", file!())), "{text}");
}

struct Units;

impl Manager for Units {
    type Resource = ();
    type Error = ();

    async fn create(&self) -> Result<(), ()> {
        Ok(())
    }
}

#[test]
fn of_the_close_of_a_pool() {
    assert_names_the_line(|line| async move {
        let pool = Pool::new(Units, 1);
        let _lent = pool.acquire().await;
        line.store(line!() + 1, SeqCst);
        let _ = pool.close(LONG).await;
    });
}

#[test]
fn of_a_throttled_stream() {
    assert_names_the_line(|line| async move {
        line.store(line!() + 1, SeqCst);
        let mut slow = pin!(stream::iter(0..2).throttle(LONG));
        while slow.next().await.is_some() {}
    });
}

#[test]
fn of_a_stream_whose_items_have_a_limit() {
    assert_names_the_line(|line| async move {
        line.store(line!() + 1, SeqCst);
        let mut limited = pin!(stream::pending::<()>().item_timeout(LONG));
        let _ = limited.next().await;
    });
}

#[test]
fn of_a_stream_in_chunks() {
    assert_names_the_line(|line| async move {
        let items = stream::once(1).chain(stream::pending());
        line.store(line!() + 1, SeqCst);
        let mut chunks = pin!(items.chunks_timeout(2, LONG));
        drop(chunks.next().await);
    });
}

#[test]
fn of_a_server() {
    assert_names_the_line(|line| async move {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        line.store(line!() + 1, SeqCst);
        serve(listener, async |_: TcpStream, _| Ok(())).await
    });
}

#[test]
fn of_a_server_that_waits_for_its_connections() {
    assert_names_the_line(|line| async move {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let _client = TcpStream::connect(listener.local_addr().unwrap()).await;
        line.store(line!() + 1, SeqCst);
        serve(listener, |_: TcpStream, _| pending())
            .with_shutdown(async {})
            .await
    });
}

#[test]
fn of_a_wait_for_tasks_with_a_limit() {
    assert_names_the_line(|line| async move {
        let mut set = JoinSet::new();
        set.spawn(pending::<()>());
        line.store(line!() + 1, SeqCst);
        drop(future::wait(&mut set, When::All, LONG).await);
    });
}

#[test]
fn of_staggered_attempts() {
    assert_names_the_line(|line| async move {
        let attempts = [pending::<Result<(), ()>>(), pending()];
        line.store(line!() + 1, SeqCst);
        drop(future::staggered(LONG, attempts).await);
    });
}

#[test]
fn of_what_the_cleanup_of_a_cancelled_scope_awaits() {
    assert_names_the_line(|line| {
        let token = CancelToken::new();
        let stop = token.clone();
        let scope = scope(|s| async move {
            let _guard = s.guard_static(line, |line| async move {
                line.store(line!() + 1, SeqCst);
                time::sleep(LONG).await;
            });
            drop(spawn(async move { stop.cancel("enough") }));
            pending::<Result<(), ()>>().await
        });
        scope.with_token(token)
    });
}

#[test]
fn of_a_scope_whose_cleanup_does_not_tell() {
    assert_names_the_line(|line| async move {
        line.store(line!() + 1, SeqCst);
        let done = scope(|s| async move {
            let _guard = s.guard_static((), |()| pending());
            s.cancel("enough");
            pending::<Result<(), ()>>().await
        });
        drop(done.await);
    });
}

#[test]
fn of_the_guard_whose_scope_was_dropped() {
    for_each_backend(|backend| {
        backend.runtime(1).block_on(async {
            let line = line!() + 2;
            let mut dropped = Box::pin(scope(|s| async move {
                let _guard = s.guard_static((), |()| time::sleep(LONG));
                pending::<Result<(), ()>>().await
            }));
            let first = poll_fn(|cx| Poll::Ready(dropped.as_mut().poll(cx).is_pending()));
            assert!(first.await);
            drop(dropped);
            yield_now().await;
            let cleanup = Handle::current().dump().cleanups.remove(0);
            let told = cleanup.waiting_on.expect("it waits").location;
            assert_eq!((told.file(), told.line()), (file!(), line));
        });
    });
}

#[test]
fn a_panic_names_the_line_of_a_scope_with_a_limit() {
    let line = line!() + 1;
    let limited = scope(|_| pending::<Result<(), ()>>()).timeout(LONG);
    assert_panic_names(line, limited);
}

#[test]
fn a_panic_names_the_line_of_or_cancelled() {
    let token = CancelToken::new().with_timeout(LONG);
    let line = line!() + 1;
    let stops = pending::<()>().or_cancelled();
    assert_panic_names(line, stops.with_token(token));
}

#[test]
fn a_panic_names_the_line_of_a_rate_limited_call() {
    let limit = RateLimiter::new(1, LONG);
    limit.try_acquire().unwrap();
    let line = line!() + 1;
    let permit = limit.acquire();
    assert_panic_names(line, permit);
}

#[test]
fn a_panic_names_the_line_of_a_retry() {
    let line = line!() + 1;
    let again = retry(Retry::fixed(LONG), async || Err::<(), ()>(()));
    assert_panic_names(line, again);
}

#[test]
fn a_panic_names_the_line_of_a_retry_with_a_deadline() {
    let token = CancelToken::new().with_timeout(LONG);
    let line = line!() + 1;
    let again = retry(Retry::fixed(LONG / 2), async || Err::<(), ()>(()));
    assert_panic_names(line, again.with_token(token));
}

#[test]
fn the_reason_names_the_line_that_built_a_runtime_which_is_dropped() {
    let line = line!() + 1;
    let runtime = wakeline::Runtime::builder().workers(2).build().unwrap();
    let task = runtime.spawn(std::future::pending::<()>());
    drop(runtime);
    let ended = task.blocking_join(LONG).expect("it has ended");
    let error = ended.expect_err("it was cut off");
    let reason = error.reason().expect("it was cancelled");
    assert_eq!(
        (reason.location().file(), reason.location().line()),
        (file!(), line)
    );
}

#[test]
fn the_reason_names_the_line_that_made_a_runtime_with_the_defaults() {
    let line = line!() + 1;
    let runtime = wakeline::Runtime::new().unwrap();
    let task = runtime.spawn(pending::<()>());
    drop(runtime);
    assert_ended_by(line, task);

    let mut task = None;
    let line = line!() + 1;
    wakeline::block_on(async { task = Some(spawn(pending::<()>())) });
    assert_ended_by(line, task.expect("it was spawned"));
}

/// The end of the runtime that was made on this line has cut the task off.
#[track_caller]
fn assert_ended_by(line: u32, task: JoinHandle<()>) {
    let ended = task.blocking_join(LONG).expect("it has ended");
    let error = ended.expect_err("it was cut off");
    let told = error.reason().expect("it was cancelled").location();
    assert_eq!((told.file(), told.line()), (file!(), line), "{error}");
}

#[test]
fn the_reason_names_the_line_that_built_a_runtime_whose_thread_has_ended() {
    let line = line!() + 1;
    let runtime = wakeline::Runtime::builder().workers(1).build().unwrap();
    std::thread::scope(|threads| {
        threads.spawn(|| runtime.block_on(yield_now()));
    });
    let ended = runtime.spawn(async {}).blocking_join(LONG);
    let error = ended
        .expect("at once")
        .expect_err("there is no thread for it");
    let reason = error.reason().expect("it was cancelled");
    assert_eq!(
        (reason.location().file(), reason.location().line()),
        (file!(), line)
    );
}

/// The reason of this token must name this line.
#[track_caller]
fn assert_reason_names(line: u32, token: &CancelToken) {
    let reason = token.reason().expect("it is cancelled");
    let told = reason.location();
    assert_eq!((told.file(), told.line()), (file!(), line), "{reason:?}");
}

/// A scope without an end, and its token, which is there once the scope is polled.
fn endless() -> (Endless, Slot) {
    let slot = Slot::default();
    let theirs = Arc::clone(&slot);
    let endless = scope(|s| async move {
        theirs.set(s.token()).expect("the only one");
        pending().await
    });
    (endless, slot)
}

type Endless = ScopeFut<'static, Result<(), ScopeError<()>>>;
type Slot = Arc<OnceLock<CancelToken>>;

/// The limit that was set on this line ends the scope.
#[track_caller]
fn assert_elapses(backend: &Backend, line: u32, limited: Endless, token: &Slot) {
    let result = backend.runtime(1).block_on(limited);
    assert!(result.is_err_and(|error| error.is_elapsed()));
    assert_reason_names(line, token.get().expect("it was polled"));
}

#[test]
fn the_reason_names_the_line_of_a_scopes_timeout() {
    for_each_backend(|backend| {
        let (endless, token) = endless();
        let line = line!() + 1;
        let limited = endless.timeout(Duration::from_nanos(1));
        assert_elapses(&backend, line, limited, &token);
    });
}

#[test]
fn the_reason_names_the_line_of_a_scopes_deadline() {
    for_each_backend(|backend| {
        let (endless, token) = endless();
        let soon = time::now() + Duration::from_nanos(1);
        let line = line!() + 1;
        let limited = endless.deadline(soon);
        assert_elapses(&backend, line, limited, &token);
    });
}

#[test]
fn the_reason_names_the_line_of_a_scope_that_was_dropped() {
    for_each_backend(|backend| {
        let token = Slot::default();
        let theirs = Arc::clone(&token);
        let line = line!() + 1;
        let endless = scope(|s| async move {
            theirs.set(s.token()).expect("the only one");
            pending::<Result<(), ()>>().await
        });
        let cut = backend
            .runtime(1)
            .block_on(FutureExt::timeout(endless, Duration::from_nanos(1)));
        assert!(cut.is_err());
        assert_reason_names(line, token.get().expect("it was polled"));
    });
}

#[test]
fn the_reason_names_the_line_that_aborts_a_child_of_a_scope() {
    for_each_backend(|backend| {
        let result: Result<_, ScopeError<()>> =
            backend.runtime(1).block_on(scope(|s| async move {
                let here = s.spawn(pending::<Result<(), ()>>());
                let task = s.spawn_task(pending::<Result<(), ()>>());
                let line = line!() + 2;
                for child in [&here, &task] {
                    child.abort()
                }
                Ok((line, [here.await, task.await]))
            }));
        let (line, children) = result.expect("an abort is no failure");
        for child in children {
            let Err(ChildError::Cancelled(reason)) = child else {
                panic!("{child:?}");
            };
            let told = reason.location();
            assert_eq!((told.file(), told.line()), (file!(), line), "{reason:?}");
        }
    });
}

#[test]
fn the_reason_names_the_line_that_built_a_runtime_whose_block_on_has_ended() {
    let line = line!() + 1;
    let runtime = wakeline::Runtime::builder().workers(2).build().unwrap();
    let mut task = None;
    runtime.block_on(async { task = Some(wakeline::spawn_local(pending::<()>())) });
    let task = task.expect("it was spawned");
    let ended = task.blocking_join(LONG).expect("it has ended");
    let error = ended.expect_err("it was cut off");
    let reason = error.reason().expect("it was cancelled");
    assert_eq!(
        (reason.location().file(), reason.location().line()),
        (file!(), line)
    );
}
