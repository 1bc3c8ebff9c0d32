//! `wait`: what has ended by some moment, without harm to the rest.

use std::future::pending;
use std::pin::pin;
use std::task::Poll;
use std::time::{Duration, Instant};

use crate::on_every_runtime;
use crate::support::drops::poll_once;
use crate::support::for_each_backend;
use wakeline::future::{When, try_wait, wait};
use wakeline::sync::oneshot;
use wakeline::{AbortHandle, JoinSet, yield_now};

const EVERY: [When; 3] = [When::FirstCompleted, When::FirstError, When::All];

/// Runs `test` on both backends, on one worker: with more, a task has finished a
/// moment before its set hears of it.
#[track_caller]
fn on_one_worker<F>(test: impl Fn() -> F)
where
    F: Future<Output = ()> + Send + 'static,
{
    for_each_backend(|backend| backend.runtime(1).block_on(test()));
}

async fn finished(handles: &[AbortHandle]) {
    while !handles.iter().all(AbortHandle::is_finished) {
        yield_now().await;
    }
}

#[test]
fn an_empty_set_is_over_at_once() {
    on_every_runtime(|| async {
        for when in EVERY {
            let mut set = JoinSet::<u8>::new();
            for limit in [None, Some(Duration::ZERO), Some(Duration::MAX)] {
                let waited = wait(&mut set, when, limit).await;
                assert_eq!((waited.done.len(), waited.pending), (0, 0));
            }
        }
    });
}

#[test]
fn a_limit_that_passes_is_no_error_and_cancels_nobody() {
    on_every_runtime(|| async {
        for when in EVERY {
            let mut set = JoinSet::new();
            let (tx, rx) = oneshot::channel::<u8>();
            set.spawn(async move { rx.await.expect("it is sent") });
            let limit = Duration::from_millis(2);
            let start = Instant::now();
            let waited = wait(&mut set, when, limit).await;
            assert!(start.elapsed() >= limit);
            assert_eq!((waited.done.len(), waited.pending), (0, 1));
            // It goes on, in the set.
            tx.send(4).expect("it lives");
            let waited = wait(&mut set, When::All, None).await;
            assert_eq!(*waited.done[0].1.as_ref().expect("not cancelled"), 4);
            assert_eq!(waited.pending, 0);
        }
    });
}

#[test]
fn what_has_ended_is_given_though_the_limit_passed_before_the_rest() {
    on_one_worker(|| async {
        let mut set = JoinSet::new();
        let done = set.spawn(async { 1 });
        set.spawn(pending());
        finished(&[done]).await;
        let waited = wait(&mut set, When::All, Duration::from_millis(1)).await;
        assert_eq!((waited.done.len(), waited.pending), (1, 1));
    });
}

#[test]
fn first_completed_gives_everything_that_has_ended_by_then() {
    on_one_worker(|| async {
        let mut set = JoinSet::new();
        let mut handles = Vec::new();
        for n in 0..3 {
            let handle = set.spawn(async move { n });
            // One after the other, so that their order is known.
            finished(std::slice::from_ref(&handle)).await;
            handles.push(handle);
        }
        set.spawn(pending());
        let waited = wait(&mut set, When::FirstCompleted, None).await;
        let found: Vec<_> = waited.done.iter().map(|(id, _)| *id).collect();
        let expected: Vec<_> = handles.iter().map(AbortHandle::id).collect();
        assert_eq!(found, expected);
        assert_eq!((waited.pending, set.len()), (1, 1));
    });
}

#[test]
fn what_has_ended_already_is_given_without_a_suspension() {
    on_one_worker(|| async {
        for when in EVERY {
            let mut set = JoinSet::new();
            let handles: Vec<_> = (0..3).map(|n| set.spawn(async move { n })).collect();
            finished(&handles).await;
            let polled = poll_once(pin!(wait(&mut set, when, None))).await;
            assert!(ready(polled).done.len() == 3, "{when:?}");
            // And a second wait takes no time: there is nothing left.
            let again = poll_once(pin!(wait(&mut set, when, None))).await;
            assert!(ready(again).done.is_empty(), "{when:?}");
        }
    });
}

/// What a poll that should be ready has given.
fn ready<T>(poll: Poll<T>) -> T {
    match poll {
        Poll::Ready(value) => value,
        Poll::Pending => panic!("it suspends"),
    }
}

#[test]
fn first_error_ends_at_a_panic_and_not_at_a_completion() {
    on_every_runtime(|| async {
        let mut set = JoinSet::new();
        let (tx, rx) = oneshot::channel::<()>();
        set.spawn(async { 1 });
        set.spawn(async move {
            rx.await.expect("it is sent");
            panic!("planned")
        });
        set.spawn(pending());
        // On two workers the first may take its time to end.
        while set.len() == 3 {
            let (start, limit) = (Instant::now(), Duration::from_millis(1));
            let waited = wait(&mut set, When::FirstError, limit).await;
            assert!(start.elapsed() >= limit, "a completion has ended it");
            assert!(waited.done.iter().all(|(_, result)| result.is_ok()));
        }
        assert_eq!(set.len(), 2);
        tx.send(()).expect("it lives");
        let waited = wait(&mut set, When::FirstError, None).await;
        assert!(waited.done.iter().any(|(_, result)| result.is_err()));
        assert_eq!(waited.pending, 1);
    });
}

#[test]
fn first_error_without_an_error_waits_for_all() {
    on_every_runtime(|| async {
        let mut set = JoinSet::new();
        for n in 0..5_u32 {
            set.spawn(async move {
                for _ in 0..n {
                    yield_now().await;
                }
            });
        }
        let waited = wait(&mut set, When::FirstError, None).await;
        assert_eq!((waited.done.len(), waited.pending), (5, 0));
    });
}

#[test]
fn a_cancelled_task_is_no_error_to_first_error() {
    on_one_worker(|| async {
        let mut set: JoinSet<Result<(), &str>> = JoinSet::new();
        let (tx, rx) = oneshot::channel::<()>();
        set.spawn(pending()).abort();
        set.spawn(async move {
            rx.await.expect("it is sent");
            Err("failed")
        });
        set.spawn(pending());
        let mut waiting = Box::pin(try_wait(&mut set, When::FirstError, None));
        for _ in 0..20 {
            assert!(poll_once(waiting.as_mut()).await.is_pending());
            yield_now().await;
        }
        tx.send(()).expect("it lives");
        let waited = waiting.await;
        assert_eq!((waited.done.len(), waited.pending), (2, 1));
        assert!(
            waited.done[0]
                .1
                .as_ref()
                .is_err_and(|error| error.is_cancelled())
        );
        assert!(matches!(waited.done[1].1, Ok(Err("failed"))));
    });
}

#[test]
fn an_error_that_a_task_returned_is_one_to_try_wait_and_a_value_to_wait() {
    on_every_runtime(|| async {
        let tasks = || {
            let mut set: JoinSet<Result<(), ()>> = JoinSet::new();
            set.spawn(pending());
            set.spawn(async { Err(()) });
            set
        };
        let waited = try_wait(&mut tasks(), When::FirstError, None).await;
        assert_eq!((waited.done.len(), waited.pending), (1, 1));
        let limit = Duration::from_millis(2);
        let start = Instant::now();
        let waited = wait(&mut tasks(), When::FirstError, limit).await;
        assert!(start.elapsed() >= limit);
        assert_eq!(waited.pending, 1);
    });
}

#[test]
fn a_wait_that_is_given_up_leaves_tasks_running_and_results_in_the_set() {
    on_one_worker(|| async {
        let mut set = JoinSet::new();
        let (tx, rx) = oneshot::channel::<()>();
        let mut handles = Vec::new();
        for n in 0..3 {
            let handle = set.spawn(async move { n });
            finished(std::slice::from_ref(&handle)).await;
            handles.push(handle.id());
        }
        set.spawn(async move {
            rx.await.expect("it is sent");
            3
        });
        let mut waiting = Box::pin(wait(&mut set, When::All, None));
        assert!(poll_once(waiting.as_mut()).await.is_pending());
        drop(waiting);
        assert_eq!(set.len(), 4);
        // In the order in which they ended, and before what ends later.
        tx.send(()).expect("it lives");
        let waited = wait(&mut set, When::All, None).await;
        let results: Vec<_> = waited
            .done
            .iter()
            .map(|(_, result)| *result.as_ref().expect("no panic"))
            .collect();
        assert_eq!(results, [0, 1, 2, 3]);
    });
}

#[test]
fn each_result_comes_once_however_many_waits_there_are() {
    on_every_runtime(|| async {
        let mut set = JoinSet::new();
        for n in 0..50_u32 {
            set.spawn(async move {
                for _ in 0..n % 5 {
                    yield_now().await;
                }
                n
            });
        }
        let mut seen = Vec::new();
        while !set.is_empty() {
            let waited = wait(&mut set, When::FirstCompleted, None).await;
            assert!(!waited.done.is_empty());
            seen.extend(
                waited
                    .done
                    .into_iter()
                    .map(|(_, result)| result.expect("no panic")),
            );
        }
        seen.sort_unstable();
        assert_eq!(seen, (0..50).collect::<Vec<_>>());
    });
}

#[test]
fn a_limit_of_zero_gives_what_has_ended_by_now_and_does_not_suspend() {
    on_one_worker(|| async {
        let mut set = JoinSet::new();
        let done = set.spawn(async {});
        set.spawn(pending());
        finished(&[done]).await;
        let polled = poll_once(pin!(wait(&mut set, When::All, Duration::ZERO))).await;
        let waited = ready(polled);
        assert_eq!((waited.done.len(), waited.pending), (1, 1));
    });
}

#[test]
fn tasks_come_out_of_a_set_in_the_order_in_which_they_ended() {
    on_one_worker(|| async {
        let mut set = JoinSet::new();
        let mut senders = Vec::new();
        for n in 0..4 {
            let (tx, rx) = oneshot::channel::<()>();
            let handle = set.spawn(async move {
                rx.await.expect("it is sent");
                n
            });
            senders.push((tx, handle));
        }
        for n in [2, 0, 3, 1] {
            let at = senders
                .iter()
                .position(|(_, handle)| set.ids()[n] == handle.id());
            let (tx, handle) = senders.swap_remove(at.expect("each once"));
            tx.send(()).expect("it lives");
            finished(&[handle]).await;
        }
        let mut order = Vec::new();
        while let Some(next) = set.join_next_with_id().await {
            order.push(next.expect("no panic").1);
        }
        assert_eq!(order, [2, 0, 3, 1]);
    });
}

#[test]
fn dropping_a_set_aborts_and_detaching_does_not() {
    on_every_runtime(|| async {
        let (tx, rx) = oneshot::channel::<()>();
        let (done, is_done) = oneshot::channel::<()>();
        let mut set = JoinSet::new();
        set.spawn(async move {
            rx.await.expect("it is sent");
            done.send(()).expect("it is waited for");
        });
        set.detach_all();
        assert!(set.is_empty());
        let aborted = set.spawn(pending());
        drop(set);
        tx.send(()).expect("the detached one lives");
        is_done.await.expect("it went on");
        finished(&[aborted]).await;
    });
}

#[test]
fn a_set_that_is_used_for_ever_stays_small() {
    on_every_runtime(|| async {
        let mut set = JoinSet::new();
        for round in 0..2_000_u32 {
            set.spawn(async move { round });
            match round % 4 {
                0 => drop(set.join_next().await),
                1 => drop(set.try_join_next()),
                2 => set.detach_all(),
                _ => set.shutdown().await,
            }
            assert!(set.len() <= 2);
        }
    });
}

#[test]
fn blocking_jobs_and_tasks_share_a_set() {
    on_every_runtime(|| async {
        let mut set = JoinSet::new();
        set.spawn_blocking(|| 1);
        set.spawn(async { 2 });
        set.spawn_on(async { 3 }, &wakeline::Handle::current());
        let mut all = set.join_all().await;
        all.sort_unstable();
        assert_eq!(all, [1, 2, 3]);
    });
}

#[test]
fn local_tasks_may_be_in_a_set_on_their_thread() {
    let runtime = wakeline::Runtime::builder()
        .workers(1)
        .build()
        .expect("a runtime");
    runtime.block_on(async {
        let shared = std::rc::Rc::new(std::cell::Cell::new(0));
        let mut set = JoinSet::new();
        for n in 1..=3 {
            let shared = std::rc::Rc::clone(&shared);
            set.spawn_local(async move { shared.set(shared.get() + n) });
        }
        assert_eq!(set.join_all().await.len(), 3);
        assert_eq!(shared.get(), 6);
    });
}

#[test]
fn try_join_all_of_a_set_returns_when_the_others_are_gone() {
    struct Marks(std::sync::Arc<std::sync::atomic::AtomicBool>);
    impl Drop for Marks {
        fn drop(&mut self) {
            self.0.store(true, std::sync::atomic::Ordering::Release);
        }
    }
    on_every_runtime(|| async {
        let gone = std::sync::Arc::new(std::sync::atomic::AtomicBool::new(false));
        let marks = Marks(std::sync::Arc::clone(&gone));
        let mut set: JoinSet<Result<(), &str>> = JoinSet::new();
        set.spawn(async move {
            let _marks = marks;
            pending().await
        });
        set.spawn(async { Err("failed") });
        let failed = set.try_join_all().await.expect_err("one failed").failed();
        assert_eq!(failed, Some("failed"));
        assert!(gone.load(std::sync::atomic::Ordering::Acquire));
    });
}
