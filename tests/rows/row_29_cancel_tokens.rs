//! Cancel tokens: a level that reaches down, stays, and starts nothing new.

use std::cell::Cell;
use std::future::{pending, poll_fn, ready};
use std::pin::{Pin, pin};
use std::rc::Rc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use wakeline::cancel::Cause;
use wakeline::sync::{Semaphore, oneshot};
use wakeline::time::timeout;
use wakeline::{CancelToken, FutureExt, checkpoint, current_token, spawn, yield_now};

use crate::{on_every_runtime, with_every_runtime};

/// Runs something when it is dropped.
struct OnDrop<F: FnMut()>(F);

impl<F: FnMut()> Drop for OnDrop<F> {
    fn drop(&mut self) {
        (self.0)();
    }
}

fn text(token: &CancelToken) -> String {
    token.reason().map_or_else(String::new, |r| r.to_string())
}

fn poll<F: Future>(future: Pin<&mut F>) -> Poll<F::Output> {
    future.poll(&mut Context::from_waker(Waker::noop()))
}

// --- the tree ---

#[test]
fn a_cancel_reaches_down_also_through_the_dropped_and_nowhere_else() {
    let root = CancelToken::new();
    let (middle, sibling) = (root.child(), root.child());
    let leaf = middle.child().child(); // the one between is dropped
    assert!(middle.cancel("middle"));
    assert!(leaf.is_cancelled() && !root.is_cancelled() && !sibling.is_cancelled());
    drop(middle);
    assert!(root.cancel("root"));
    assert_eq!(
        [text(&leaf), text(&sibling), text(&root.child())],
        ["middle", "root", "root"]
    );
}

#[test]
fn the_first_cancel_wins_and_names_the_line_that_asked() {
    let token = CancelToken::new();
    let line = line!() + 1;
    assert!(token.cancel("first"));
    assert!(!token.cancel(String::from("second")));
    let reason = token.reason().unwrap();
    assert_eq!((reason.text(), reason.cause()), ("first", Cause::Requested));
    assert_eq!(
        (reason.location().file(), reason.location().line()),
        (file!(), line)
    );
}

#[test]
fn of_many_threads_that_cancel_one_does_it() {
    for _ in 0..50 {
        let root = CancelToken::new();
        let leaf = root.child().child();
        let winners: usize = std::thread::scope(|s| {
            let threads: Vec<_> = (0..4)
                .map(|n| {
                    let token = &root;
                    s.spawn(move || usize::from(token.cancel(format!("thread {n}"))))
                })
                .collect();
            threads.into_iter().map(|t| t.join().unwrap()).sum()
        });
        assert_eq!(winners, 1);
        assert_eq!(root.reason(), leaf.reason());
    }
}

#[test]
fn five_thousand_levels_wait_and_are_cancelled() {
    on_every_runtime(|| async {
        let root = CancelToken::new();
        let mut leaf = root.child();
        for _ in 0..5_000 {
            leaf = leaf.child();
        }
        leaf.set_timeout(Duration::from_secs(3600));
        let (waiting, waits) = oneshot::channel();
        let task = spawn(async move {
            let mut cancelled = pin!(leaf.cancelled());
            assert!(poll_once(cancelled.as_mut()).await.is_none());
            waiting.send(()).expect("it listens");
            cancelled.await
        });
        waits.await.unwrap();
        root.cancel("deep");
        assert_eq!(task.await.unwrap().text(), "deep");
    });
}

/// What one poll, with the task's own waker, gives.
async fn poll_once<F: Future>(mut future: Pin<&mut F>) -> Option<F::Output> {
    poll_fn(|cx| match future.as_mut().poll(cx) {
        Poll::Ready(output) => Poll::Ready(Some(output)),
        Poll::Pending => Poll::Ready(None),
    })
    .await
}

// --- the level ---

#[test]
fn once_cancelled_every_wait_ends_at_once_and_nothing_begins() {
    on_every_runtime(|| async {
        let token = CancelToken::new();
        async {
            current_token().cancel("level");
            let begun = AtomicBool::new(false);
            for _ in 0..3 {
                assert!(checkpoint().is_err());
                assert_eq!(current_token().cancelled().await.text(), "level");
                let op = async { begun.store(true, Ordering::Relaxed) };
                assert!(op.or_cancelled().await.is_err());
                assert!(pending::<()>().or_cancelled().await.is_err());
            }
            assert!(!begun.into_inner());
            // And who does not ask goes on.
            yield_now().await;
        }
        .with_token(token)
        .await;
    });
}

#[test]
fn a_loop_over_what_is_always_ready_is_stopped() {
    on_every_runtime(|| async {
        let token = CancelToken::new();
        let task = spawn(
            async {
                let mut rounds = 0_u64;
                while ready(()).or_cancelled().await.is_ok() {
                    rounds += 1;
                    if rounds.is_multiple_of(64) {
                        yield_now().await; // `ready` knows no budget
                    }
                }
                rounds
            }
            .with_token(token.clone()),
        );
        yield_now().await;
        token.cancel("enough");
        let _rounds = task.await.unwrap();
    });
}

#[test]
fn a_token_may_be_cancelled_before_it_is_entered() {
    on_every_runtime(|| async {
        let token = CancelToken::new();
        token.cancel("before");
        let result = async {
            checkpoint()?;
            Ok::<_, wakeline::Cancelled>(())
        }
        .with_token(token)
        .await;
        assert_eq!(result.unwrap_err().to_string(), "cancelled: before");
    });
}

// --- completion against cancel ---

#[test]
fn what_is_ready_in_the_poll_that_finds_the_cancel_is_delivered() {
    let token = CancelToken::new();
    let (sender, receiver) = oneshot::channel();
    let mut op = pin!(receiver.or_cancelled().with_token(token.clone()));
    assert!(poll(op.as_mut()).is_pending());
    token.cancel("at the same time");
    sender.send(7).unwrap();
    let Poll::Ready(Ok(value)) = poll(op) else {
        panic!("completion wins")
    };
    assert_eq!(value, Ok(7));
}

#[test]
fn an_operation_that_cancels_itself_and_is_ready_has_happened() {
    let token = CancelToken::new();
    let itself = token.clone();
    let op = async move {
        itself.cancel("by itself");
        "done"
    };
    let mut op = pin!(op.or_cancelled().with_token(token));
    assert_eq!(poll(op.as_mut()), Poll::Ready(Ok("done")));
}

#[test]
fn an_operation_that_cancels_itself_and_waits_is_stopped() {
    on_every_runtime(|| async {
        let token = CancelToken::new();
        let itself = token.clone();
        let op = async move {
            itself.cancel("by itself");
            pending::<()>().await;
        };
        let error = op.or_cancelled().with_token(token).await.unwrap_err();
        assert_eq!(error.reason().text(), "by itself");
    });
}

#[test]
fn a_grant_that_comes_with_the_cancel_is_delivered_and_one_not_asked_for_stays() {
    let token = CancelToken::new();
    let one = Semaphore::new(1);
    let held = one.try_acquire().unwrap();
    let mut second = pin!(one.acquire().or_cancelled().with_token(token.clone()));
    assert!(poll(second.as_mut()).is_pending());
    drop(held);
    token.cancel("too late");
    let Poll::Ready(Ok(Ok(permit))) = poll(second) else {
        panic!("it was granted before the poll that finds the cancel")
    };
    drop(permit);
    let third = pin!(one.acquire().or_cancelled().with_token(token));
    assert!(matches!(poll(third), Poll::Ready(Err(_))));
    assert_eq!(one.available(), 1, "it was not even asked for");
}

#[test]
fn a_grant_to_a_wait_that_is_stopped_goes_to_the_next() {
    let token = CancelToken::new();
    let one = Semaphore::new(1);
    let held = one.try_acquire().unwrap();
    let mut second = Box::pin(one.acquire().or_cancelled().with_token(token.clone()));
    let mut third = pin!(one.acquire());
    assert!(poll(second.as_mut()).is_pending());
    assert!(poll(third.as_mut()).is_pending());
    drop(held);
    token.cancel("and then dropped, unseen");
    drop(second);
    assert!(poll(third).is_ready());
}

#[test]
fn a_stopped_operation_is_gone_before_the_error_is_seen() {
    on_every_runtime(|| async {
        let token = CancelToken::new();
        let dropped = AtomicBool::new(false);
        let op = async {
            let _guard = OnDrop(|| dropped.store(true, Ordering::Relaxed));
            token.cancel("now");
            pending::<()>().await;
        };
        let op = pin!(op.or_cancelled().with_token(token.clone()));
        assert!(op.await.is_err());
        assert!(dropped.load(Ordering::Relaxed));
    });
}

#[test]
fn an_output_is_not_kept_behind_by_what_made_it() {
    // The operation's captures are dropped when it is ready, not with the wrapper.
    let shared = Rc::new(());
    let captured = Rc::clone(&shared);
    let op = async move { drop(Rc::clone(&captured)) };
    let mut op = pin!(op.or_cancelled().with_token(CancelToken::new()));
    assert!(poll(op.as_mut()).is_ready());
    assert_eq!(Rc::strong_count(&shared), 1);
}

#[test]
#[should_panic(expected = "row_29_cancel_tokens.rs")]
fn polled_again_after_its_end_it_panics_and_names_its_line() {
    let mut op = pin!(ready(()).or_cancelled());
    assert!(poll(op.as_mut()).is_ready());
    let _ = poll(op);
}

// --- destructors ---

#[test]
fn a_destructor_may_use_the_tree_that_is_cancelling_it() {
    on_every_runtime(|| async {
        let token = CancelToken::new();
        let seen = Arc::new(Mutex::new(String::new()));
        let op = {
            let (token, seen) = (token.clone(), Arc::clone(&seen));
            async move {
                let canceller = token.clone();
                let _guard = OnDrop(move || {
                    let here = current_token();
                    assert!(!here.cancel("again") && here.child().is_cancelled());
                    token.set_shielded(true);
                    token.set_deadline(None);
                    drop(spawn(async {}));
                    *seen.lock().unwrap() = text(&here);
                });
                drop(spawn(async move { canceller.cancel("outside") }));
                pending::<()>().await;
            }
        };
        assert!(op.or_cancelled().with_token(token).await.is_err());
        assert_eq!(*seen.lock().unwrap(), "outside");
    });
}

#[test]
fn a_destructor_that_panics_costs_its_task_and_not_the_token() {
    on_every_runtime(|| async {
        let token = CancelToken::new();
        let other = token.child();
        let (ready, begun) = oneshot::channel();
        let task = spawn(
            async {
                let op = async {
                    let _guard = OnDrop(|| panic!("in drop"));
                    ready.send(()).unwrap();
                    pending::<()>().await;
                };
                drop(op.or_cancelled().await);
            }
            .with_token(token.clone()),
        );
        begun.await.unwrap();
        token.cancel("now");
        assert!(task.await.unwrap_err().is_panic());
        assert_eq!(other.cancelled().await.text(), "now");
        assert!(!current_token().is_cancelled(), "nor what surrounds us");
    });
}

#[test]
fn a_token_is_in_force_also_while_its_future_is_dropped_and_not_longer() {
    let token = CancelToken::new();
    token.cancel("mine");
    let seen = Rc::new(Cell::new(false));
    let says = Rc::clone(&seen);
    let future = async move {
        let _guard = OnDrop(|| says.set(checkpoint().is_err()));
        pending::<()>().await;
    };
    let mut future = Box::pin(future.with_token(token));
    assert!(poll(future.as_mut()).is_pending());
    assert!(checkpoint().is_ok(), "not between two polls");
    drop(future);
    assert!(seen.get());
    assert!(checkpoint().is_ok());
}

#[test]
fn a_panic_in_a_poll_leaves_no_token_behind() {
    let token = CancelToken::new();
    token.cancel("mine");
    let caught = std::panic::catch_unwind(|| {
        let mut future = Box::pin(poll_fn(|_| -> Poll<()> { panic!("planned") }).with_token(token));
        let _ = poll(future.as_mut());
    });
    assert!(caught.is_err());
    assert!(checkpoint().is_ok());
}

// --- shields ---

#[test]
fn a_shield_can_be_put_on_and_taken_off_while_somebody_waits() {
    on_every_runtime(|| async {
        let outer = CancelToken::new();
        let inner = outer.child();
        inner.set_shielded(true);
        let task = spawn({
            let inner = inner.clone();
            async move { inner.cancelled().await }
        });
        outer.cancel("outside");
        yield_now().await;
        assert!(!inner.is_cancelled() && !task.is_finished());
        inner.set_shielded(false);
        assert_eq!(task.await.unwrap().text(), "outside");
        inner.set_shielded(true);
        assert!(inner.is_cancelled(), "there is no way back");
    });
}

#[test]
fn a_shielded_token_honours_its_own_cancel_and_its_own_deadline() {
    on_every_runtime(|| async {
        let outer = CancelToken::new();
        let (by_hand, by_time) = (outer.shielded_child(), outer.shielded_child());
        outer.cancel("outside");
        by_hand.cancel("inside");
        by_time.set_timeout(Duration::from_millis(1));
        assert_eq!(by_hand.cancelled().await.text(), "inside");
        assert_eq!(by_time.cancelled().await.cause(), Cause::Deadline);
    });
}

// --- which token is in force ---

#[test]
fn the_innermost_token_is_in_force_and_the_outer_one_comes_back() {
    on_every_runtime(|| async {
        let (outer, inner) = (CancelToken::new(), CancelToken::new());
        inner.cancel("inner");
        async {
            let result = pending::<()>().or_cancelled().with_token(inner).await;
            assert_eq!(result.unwrap_err().reason().text(), "inner");
            assert!(checkpoint().is_ok());
        }
        .with_token(outer)
        .await;
    });
}

#[test]
fn tasks_that_take_turns_see_each_its_own_token() {
    on_every_runtime(|| async {
        let tasks: Vec<_> = (0..8)
            .map(|n| {
                let token = CancelToken::new();
                token.cancel(format!("task {n}"));
                let looks = async move {
                    for _ in 0..20 {
                        assert_eq!(text(&current_token()), format!("task {n}"));
                        yield_now().await;
                    }
                };
                spawn(looks.with_token(token))
            })
            .collect();
        for task in tasks {
            task.await.unwrap();
        }
    });
}

#[test]
fn a_detached_task_is_no_part_of_the_token_and_a_blocking_job_is() {
    on_every_runtime(|| async {
        let token = CancelToken::new();
        token.cancel("over");
        async {
            let detached = spawn(async { checkpoint().is_ok() });
            let job = wakeline::spawn_blocking(|| text(&current_token()));
            assert!(detached.await.unwrap());
            assert_eq!(job.await.unwrap(), "over");
        }
        .with_token(token)
        .await;
    });
}

#[test]
fn without_a_token_it_is_the_tasks_own_and_cancelling_the_task_cancels_it() {
    on_every_runtime(|| async {
        let (give, take) = oneshot::channel();
        let task = spawn(async {
            give.send(current_token()).unwrap();
            pending::<()>().await;
        });
        let token = take.await.unwrap();
        assert!(!token.is_cancelled());
        task.cancel("not wanted");
        assert_eq!(token.cancelled().await.text(), "not wanted");
        assert!(task.await.unwrap_err().is_cancelled());
    });
}

#[test]
fn the_end_of_the_runtime_cancels_what_its_tasks_have() {
    with_every_runtime(|runtime| {
        let token = runtime.block_on(async {
            let (give, take) = oneshot::channel();
            drop(spawn(async {
                give.send(current_token()).unwrap();
                pending::<()>().await;
            }));
            take.await.unwrap()
        });
        assert!(!token.is_cancelled());
        drop(runtime.shutdown(Duration::ZERO));
        assert_eq!(token.reason().unwrap().cause(), Cause::Shutdown);
    });
}

#[test]
fn outside_of_everything_there_is_a_token_that_nobody_cancels() {
    let one = current_token();
    one.cancel("mine alone");
    assert!(!current_token().is_cancelled());
    assert!(checkpoint().is_ok());
}

// --- guards, and what is left behind ---

#[test]
fn a_guard_cancels_when_it_is_dropped_also_by_a_panic_and_not_when_disarmed() {
    on_every_runtime(|| async {
        let token = CancelToken::new();
        let (first, second) = (token.child(), token.child());
        let task = spawn({
            let guard = first.clone().drop_guard();
            async move {
                let _guard = guard;
                panic!("planned");
            }
        });
        assert_eq!(first.cancelled().await.cause(), Cause::Dropped);
        assert!(task.await.unwrap_err().is_panic());
        let kept = second.drop_guard().disarm();
        assert!(!kept.is_cancelled() && !token.is_cancelled());
        let never_polled = spawn({
            let guard = kept.clone().drop_guard();
            async move { drop(guard) }
        });
        never_polled.abort();
        drop(never_polled.await);
        assert!(kept.is_cancelled(), "the captures of a task that never ran");
    });
}

#[test]
fn a_wait_that_is_dropped_is_not_woken_and_a_later_one_is() {
    on_every_runtime(|| async {
        let token = CancelToken::new();
        for _ in 0..1_000 {
            let gave_up = timeout(Duration::ZERO, token.cancelled()).await;
            assert!(gave_up.is_err());
        }
        let task = spawn({
            let token = token.clone();
            async move { token.cancelled().await }
        });
        token.cancel("at last");
        assert_eq!(task.await.unwrap().text(), "at last");
    });
}

#[test]
fn a_wait_that_moves_from_task_to_task_wakes_the_latter() {
    on_every_runtime(|| async {
        let token = CancelToken::new();
        let mut wait = Box::pin(token.cancelled());
        assert!(poll_once(wait.as_mut()).await.is_none());
        let (ready, polled) = oneshot::channel();
        let task = spawn(async move {
            assert!(poll_once(wait.as_mut()).await.is_none());
            ready.send(()).unwrap();
            wait.await
        });
        polled.await.unwrap();
        token.cancel("moved");
        assert_eq!(task.await.unwrap().text(), "moved");
    });
}

#[test]
fn a_cancel_reaches_who_has_spent_its_budget() {
    on_every_runtime(|| async {
        let token = CancelToken::new();
        let polls = AtomicUsize::new(0);
        let greedy = poll_fn(|cx| {
            polls.fetch_add(1, Ordering::Relaxed);
            // Uses up whatever this poll may do.
            while let Poll::Ready(unit) = wakeline_context::budget::poll_proceed(cx) {
                unit.spend();
                token.cancel("while it was at it");
            }
            Poll::<()>::Pending
        });
        let result = greedy.or_cancelled().with_token(token.clone()).await;
        assert!(result.is_err());
        assert_eq!(polls.into_inner(), 2, "the next poll finds the cancel");
    });
}

#[test]
fn debug_shows_the_reason() {
    let token = CancelToken::new();
    let guard = token.clone().drop_guard();
    token.cancel("shown");
    let wait = token.cancelled();
    let op = ready(1).or_cancelled().with_token(token.clone());
    let text = format!("{token:?} {guard:?} {wait:?} {op:?}");
    assert_eq!(text.matches("shown").count(), 3, "{text}");
}
