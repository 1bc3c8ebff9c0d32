//! What a future is: nothing before its first poll, nothing after its end.

use std::cell::Cell;
use std::future::{Future, pending, poll_fn, ready};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::{Pin, pin};
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll, Waker};

use crate::{on_every_runtime, with_every_runtime};
use wakeline::future::{
    When, as_completed, join_all, race, race_ok, staggered, try_join_all, wait,
};
use wakeline::stream::{gen_stream, try_gen_stream};
use wakeline::sync::oneshot;
use wakeline::{Handle, JoinHandle, JoinSet, join, select, spawn, try_join, yield_now};

/// Notes its polls and its drop.
#[derive(Clone)]
struct Probe<'a> {
    polls: &'a Cell<u32>,
    drops: &'a Cell<u32>,
}

impl Future for Probe<'_> {
    type Output = Result<u8, u8>;

    fn poll(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Self::Output> {
        self.polls.set(self.polls.get() + 1);
        Poll::Pending
    }
}

impl Drop for Probe<'_> {
    fn drop(&mut self) {
        self.drops.set(self.drops.get() + 1);
    }
}

#[test]
fn what_is_never_polled_drops_what_it_was_given_and_runs_nothing_of_it() {
    let (polls, drops) = (Cell::new(0), Cell::new(0));
    let two = || {
        drops.set(0);
        [(); 2].map(|()| Probe {
            polls: &polls,
            drops: &drops,
        })
    };
    let check = |name| assert_eq!((polls.get(), drops.get()), (0, 2), "{name}");
    drop(join_all(two()));
    check("join_all");
    drop(try_join_all(two()));
    check("try_join_all");
    drop(race(two()));
    check("race");
    drop(race_ok(two()));
    check("race_ok");
    drop(staggered(None, two()));
    check("staggered");
    drop(as_completed(two()));
    check("as_completed");
    let [a, b] = two();
    drop(async move { join!(a, b) });
    check("join!");
    let [a, b] = two();
    drop(async move { try_join!(a, b) });
    check("try_join!");
    let [a, b] = two();
    drop(async move {
        select! { _ = a => {}, _ = b => {} }
    });
    check("select!");
    let [a, b] = two();
    drop(gen_stream(|y| async move {
        y.emit((a.await, b.await)).await;
    }));
    check("gen_stream");
    let [a, b] = two();
    drop(try_gen_stream(|y| async move {
        y.emit((a.await?, b.await?)).await;
        Ok::<(), u8>(())
    }));
    check("try_gen_stream");
}

#[test]
fn a_future_polled_after_it_was_ready_panics() {
    fn twice<F: Future + Unpin>(name: &str, mut future: F) {
        let mut cx = Context::from_waker(Waker::noop());
        assert!(Pin::new(&mut future).poll(&mut cx).is_ready(), "{name}");
        let again = catch_unwind(AssertUnwindSafe(|| {
            Pin::new(&mut future).poll(&mut cx).is_ready()
        }));
        assert!(again.is_err(), "{name} was polled again and said nothing");
    }
    let ok = || [ready(Ok::<u8, u8>(1))];
    twice("join_all", join_all(ok()));
    twice(
        "join_all of none",
        join_all(Vec::<std::future::Ready<()>>::new()),
    );
    twice("try_join_all", try_join_all(ok()));
    twice("race", race(ok()));
    twice("race_ok", race_ok(ok()));
    twice("race_ok, lost", race_ok([ready(Err::<u8, u8>(1))]));
    twice("staggered", staggered(None, ok()));
    twice(
        "staggered, lost",
        staggered(None, [ready(Err::<u8, u8>(1))]),
    );
    let (tx, rx) = oneshot::channel();
    tx.send(1).expect("the receiver lives");
    twice("oneshot", rx);
}

#[test]
fn a_handle_gives_its_output_once() {
    on_every_runtime(|| async {
        let mut handle = spawn(async { 1 });
        assert_eq!((&mut handle).await.expect("no panic"), 1);
        let mut cx = Context::from_waker(Waker::noop());
        let again = catch_unwind(AssertUnwindSafe(|| {
            Pin::new(&mut handle).poll(&mut cx).is_ready()
        }));
        assert!(again.is_err());
    });
}

#[test]
fn a_future_that_is_moved_to_another_task_wakes_that_one() {
    on_every_runtime(|| async {
        let (tx, rx) = oneshot::channel();
        let mut joined = join_all([rx]);
        // Polled here first, so that this task's waker is in there.
        let polled = poll_fn(|cx| Poll::Ready(Pin::new(&mut joined).poll(cx))).await;
        assert!(polled.is_pending());
        let other = spawn(joined);
        yield_now().await;
        tx.send(5).expect("it is waited for");
        assert_eq!(other.await.expect("no panic"), [Ok(5)]);
    });
}

#[test]
fn a_task_that_awaits_itself_is_shown_by_the_task_list_and_can_be_aborted() {
    with_every_runtime(|runtime| {
        runtime.block_on(async {
            let own: Arc<Mutex<Option<JoinHandle<()>>>> = Arc::default();
            let handle = spawn({
                let own = Arc::clone(&own);
                async move {
                    let myself = loop {
                        // Bound, so that the lock is not held across the await.
                        let taken = own.lock().expect("not poisoned").take();
                        match taken {
                            Some(handle) => break handle,
                            None => yield_now().await,
                        }
                    };
                    // It ends when it has ended: never.
                    let _ = myself.await;
                }
            });
            let (id, abort) = (handle.id(), handle.abort_handle());
            *own.lock().expect("not poisoned") = Some(handle);
            loop {
                let tasks = Handle::current().tasks();
                let task = tasks.iter().find(|task| task.id == id).expect("it lives");
                let waits_for = task
                    .waiting_on
                    .map(|waiting| (waiting.kind.to_string(), waiting.id));
                if waits_for == Some(("join".to_owned(), id.get())) {
                    break;
                }
                yield_now().await;
            }
            abort.abort();
            while !abort.is_finished() {
                yield_now().await;
            }
        });
    });
}

#[test]
fn what_can_be_awaited_is_what_becomes_a_future() {
    struct Later;
    impl IntoFuture for Later {
        type Output = u8;
        type IntoFuture = std::future::Ready<u8>;
        fn into_future(self) -> Self::IntoFuture {
            ready(3)
        }
    }
    on_every_runtime(|| async {
        assert_eq!(join!(Later, Later), (3, 3));
        assert_eq!(join_all([Later]).await, [3]);
        assert_eq!(race([Later]).await, Some((0, 3)));
        let n = select! { n = Later => n, () = pending() => 0 };
        assert_eq!(n, 3);
    });
}

#[test]
fn a_wait_that_is_never_polled_leaves_the_set_as_it_is() {
    on_every_runtime(|| async {
        let mut set = JoinSet::new();
        set.spawn(async { 1 });
        drop(set.shutdown());
        drop(set.join_next());
        drop(wait(&mut set, When::All, None));
        assert_eq!(set.join_next().await.expect("one").expect("not aborted"), 1);
        let waiting = pin!(set.join_next());
        assert!(waiting.await.is_none());
    });
}
