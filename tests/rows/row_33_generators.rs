//! Generators: an async block that emits, as a stream.

use std::cell::{Cell, RefCell};
use std::future::pending;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::pin;
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::Poll;

use crate::on_every_runtime;
use crate::support::drops::{poll_idly, poll_once};
use wakeline::future::join_all;
use wakeline::stream::{FusedStream, StreamExt, gen_stream, try_gen_stream};
use wakeline::sync::{mpsc, oneshot};
use wakeline::{CancelToken, FutureExt, block_on, join, select, spawn, yield_now};

/// Notes a word in a log when it is dropped.
struct Says(&'static str, Rc<RefCell<Vec<&'static str>>>);

impl Drop for Says {
    fn drop(&mut self) {
        self.1.borrow_mut().push(self.0);
    }
}

#[test]
fn the_body_runs_only_when_the_stream_is_polled() {
    on_every_runtime(|| async {
        let made = Arc::new(AtomicUsize::new(0));
        let mut numbers = gen_stream({
            let made = Arc::clone(&made);
            move |y| {
                // Also what stands before the block.
                made.fetch_add(100, Ordering::Relaxed);
                async move {
                    for n in 1..=3 {
                        made.fetch_add(1, Ordering::Relaxed);
                        y.emit(n).await;
                    }
                }
            }
        });
        yield_now().await;
        assert_eq!(made.load(Ordering::Relaxed), 0);
        for n in 1..=3 {
            assert_eq!(numbers.next().await, Some(n));
            yield_now().await;
            assert_eq!(made.load(Ordering::Relaxed), 100 + n);
        }
        assert_eq!(numbers.next().await, None);
    });
}

#[test]
fn an_ended_generator_stays_ended() {
    on_every_runtime(|| async {
        let mut one = gen_stream(|y| async move { y.emit(1).await });
        assert_eq!(one.next().await, Some(1));
        assert!(!one.is_terminated());
        for _ in 0..3 {
            assert_eq!(one.next().await, None);
            assert!(one.is_terminated());
        }
    });
}

#[test]
fn an_early_drop_runs_the_destructors_at_once_and_once() {
    let log = Rc::new(RefCell::new(Vec::new()));
    let mut numbers = gen_stream({
        let log = Rc::clone(&log);
        |y| async move {
            let _first = Says("first", Rc::clone(&log));
            y.emit(1).await;
            let _second = Says("second", Rc::clone(&log));
            y.emit(2).await;
            let _third = Says("third", log);
            y.emit(3).await;
        }
    });
    for n in [1, 2] {
        assert_eq!(poll_idly(pin!(numbers.next())), Poll::Ready(Some(n)));
    }
    assert!(log.borrow().is_empty());
    drop(numbers);
    assert_eq!(log.take(), ["second", "first"]);
}

#[test]
fn destructors_of_a_body_that_ends_run_at_its_end_and_not_at_the_drop() {
    let log = Rc::new(RefCell::new(Vec::new()));
    let mut numbers = gen_stream({
        let log = Rc::clone(&log);
        |y| async move {
            let _held = Says("dropped", log);
            y.emit(1).await;
        }
    });
    assert_eq!(poll_idly(pin!(numbers.next())), Poll::Ready(Some(1)));
    assert_eq!(poll_idly(pin!(numbers.next())), Poll::Ready(None));
    assert_eq!(log.take(), ["dropped"]);
    drop(numbers);
    assert!(log.borrow().is_empty());
}

#[test]
fn an_error_comes_after_the_items_before_it_and_is_the_end() {
    on_every_runtime(|| async {
        let mut numbers = try_gen_stream(|y| async move {
            y.emit(1).await;
            y.emit(2).await;
            Err("broken")
        });
        assert_eq!(numbers.next().await, Some(Ok(1)));
        assert_eq!(numbers.next().await, Some(Ok(2)));
        assert_eq!(numbers.next().await, Some(Err("broken")));
        assert_eq!(numbers.next().await, None);
        assert_eq!(numbers.next().await, None);
        let mut at_once = try_gen_stream::<u8, _, _, _>(|_y| async { Err("at once") });
        assert_eq!(at_once.next().await, Some(Err("at once")));
        assert_eq!(at_once.next().await, None);
    });
}

#[test]
fn an_item_that_was_given_up_is_not_emitted() {
    on_every_runtime(|| async {
        let mut numbers = gen_stream(|y| async move {
            // Polled, so that it is in the slot, and then dropped: it lost.
            select! {
                biased;
                () = y.emit(1) => unreachable!("nobody can have taken it"),
                () = async {} => {}
            }
            y.emit(2).await;
        });
        assert_eq!(numbers.next().await, Some(2));
        assert_eq!(numbers.next().await, None);
    });
}

#[test]
fn two_items_at_once_come_one_after_the_other() {
    on_every_runtime(|| async {
        let numbers = gen_stream(|y| async move {
            join!(y.emit(1), y.emit(2));
            // With wakers of their own: only the woken one is polled.
            join_all((3..10).map(|n| y.emit(n))).await;
            y.emit(10).await;
        });
        let mut seen: Vec<u32> = numbers.collect().await;
        seen.sort_unstable();
        assert_eq!(seen, (1..=10).collect::<Vec<_>>());
    });
}

#[test]
fn an_emitter_in_another_task_wakes_the_consumer() {
    on_every_runtime(|| async {
        let mut numbers = gen_stream(|y| async move {
            let task = spawn(async move {
                for n in 1..=3 {
                    yield_now().await;
                    y.emit(n).await;
                }
            });
            task.await.expect("no panic");
        });
        let mut seen = Vec::new();
        while let Some(n) = numbers.next().await {
            seen.push(n);
        }
        assert_eq!(seen, [1, 2, 3]);
    });
}

#[test]
fn what_is_emitted_after_the_end_is_dropped_and_hangs_nobody() {
    on_every_runtime(|| async {
        let (out, emitter) = oneshot::channel();
        let mut none = gen_stream(|y| async move {
            assert!(out.send(y).is_ok());
        });
        assert_eq!(none.next().await, None);
        let emitter = emitter.await.expect("it was carried out");
        emitter.emit(1).await;
        assert_eq!(none.next().await, None);
    });
}

#[test]
fn an_emit_in_another_task_ends_when_the_stream_is_dropped() {
    on_every_runtime(|| async {
        for taken in 0..2 {
            let (out, task) = oneshot::channel();
            let (go, may_go) = oneshot::channel();
            let (placed, mut is_placed) = mpsc::unbounded();
            let mut numbers = gen_stream(|y| async move {
                let task = spawn(async move {
                    may_go.await.expect("it is sent");
                    for n in 0..2 {
                        let mut emit = pin!(y.emit(n));
                        if poll_once(emit.as_mut()).await.is_pending() {
                            placed.send(n).expect("it is waited for");
                            emit.await;
                        }
                    }
                });
                assert!(out.send(task).is_ok());
                pending().await
            });
            assert!(poll_once(pin!(numbers.next())).await.is_pending());
            let task = task.await.expect("the body has spawned it");
            go.send(()).expect("it is waited for");
            for n in 0..taken {
                assert_eq!(numbers.next().await, Some(n));
            }
            while is_placed.recv().await.expect("it emits") != taken {}
            drop(numbers);
            task.await.expect("nobody takes it, and nobody waits");
        }
    });
}

#[test]
fn interdependent_generators_are_cleaned_up_from_the_outside_in() {
    let log = Rc::new(RefCell::new(Vec::new()));
    let numbers = |log: Rc<RefCell<Vec<&'static str>>>| {
        gen_stream(|y| async move {
            let _inner = Says("inner", log);
            for n in 0.. {
                y.emit(n).await;
            }
        })
    };
    let mut doubled = gen_stream({
        let log = Rc::clone(&log);
        move |y| async move {
            let mut numbers = numbers(Rc::clone(&log));
            let _outer = Says("outer", log);
            while let Some(n) = numbers.next().await {
                y.emit(n * 2).await;
            }
        }
    });
    assert_eq!(poll_idly(pin!(doubled.next())), Poll::Ready(Some(0)));
    assert_eq!(poll_idly(pin!(doubled.next())), Poll::Ready(Some(2)));
    drop(doubled);
    assert_eq!(log.take(), ["outer", "inner"]);
}

#[test]
fn a_generator_waits_for_what_its_body_waits_for() {
    on_every_runtime(|| async {
        let (tx, rx) = oneshot::channel();
        let mut numbers = gen_stream(|y| async move {
            let n: u8 = rx.await.expect("it is sent");
            y.emit(n).await;
        });
        assert!(poll_once(pin!(numbers.next())).await.is_pending());
        tx.send(6).expect("it is waited for");
        assert_eq!(numbers.next().await, Some(6));
    });
}

#[test]
fn a_loop_over_an_endless_generator_lets_others_run() {
    on_every_runtime(|| async {
        let other = spawn(async {});
        let mut endless = gen_stream(|y| async move {
            for n in 0_u64.. {
                y.emit(n).await;
            }
        });
        while let Some(n) = endless.next().await {
            if other.is_finished() {
                break;
            }
            assert!(n < 10_000_000, "the other task never ran");
        }
    });
}

#[test]
fn a_token_that_the_body_puts_in_force_is_not_in_force_in_the_consumer() {
    on_every_runtime(|| async {
        let of_body = CancelToken::new();
        let mut states = gen_stream({
            let token = of_body.clone();
            |y| {
                async move {
                    for _ in 0..3 {
                        y.emit(wakeline::checkpoint().is_err()).await;
                    }
                }
                .with_token(token)
            }
        });
        assert_eq!(states.next().await, Some(false));
        of_body.cancel("the body's own");
        for _ in 0..2 {
            // Across the yield: the body is suspended inside of its token.
            assert!(wakeline::checkpoint().is_ok());
            assert_eq!(states.next().await, Some(true));
        }
        assert!(wakeline::checkpoint().is_ok());
    });
}

#[test]
fn a_panic_of_the_body_passes_on_and_its_locals_are_dropped() {
    let drops = Rc::new(Cell::new(0));
    struct Counts(Rc<Cell<u32>>);
    impl Drop for Counts {
        fn drop(&mut self) {
            self.0.set(self.0.get() + 1);
        }
    }
    let counts = Counts(Rc::clone(&drops));
    let mut numbers = gen_stream(|y| async move {
        let _counts = counts;
        y.emit(1).await;
        panic!("planned");
    });
    block_on(async {
        assert_eq!(numbers.next().await, Some(1));
    });
    let caught = catch_unwind(AssertUnwindSafe(|| {
        block_on(async { numbers.next().await })
    }));
    assert!(caught.is_err());
    drop(numbers);
    assert_eq!(drops.get(), 1);
}

#[test]
fn a_generator_of_what_is_send_may_go_to_another_task() {
    on_every_runtime(|| async {
        let mut numbers = gen_stream(|y| async move {
            for n in 0..10 {
                yield_now().await;
                y.emit(n).await;
            }
        });
        assert_eq!(numbers.next().await, Some(0));
        let rest = spawn(async move { numbers.collect::<Vec<_>>().await });
        assert_eq!(rest.await.expect("no panic"), (1..10).collect::<Vec<_>>());
    });
}

#[test]
fn an_item_that_was_never_taken_is_dropped_with_the_stream() {
    let item = Rc::new(());
    let weak = Rc::downgrade(&item);
    let mut never = gen_stream(|y| async move {
        let mut emitting = Box::pin(y.emit(item));
        // Placed by a poll of which the body does not tell the consumer.
        let _ = poll_idly(emitting.as_mut());
        std::mem::forget(emitting);
        pending::<()>().await;
    });
    // A forgotten `emit` is still an item.
    assert!(poll_idly(pin!(never.next())).is_ready());
    drop(never);
    assert!(weak.upgrade().is_none());
}

#[test]
fn a_body_that_panics_is_dropped_and_the_stream_has_ended() {
    let log = Rc::new(RefCell::new(Vec::new()));
    let mut numbers = gen_stream({
        let says = Says("dropped", Rc::clone(&log));
        move |y| async move {
            let _says = says;
            y.emit(1).await;
            panic!("a body");
        }
    });
    assert_eq!(poll_idly(pin!(numbers.next())), Poll::Ready(Some(1)));
    let panics = catch_unwind(AssertUnwindSafe(|| poll_idly(pin!(numbers.next()))));
    assert!(panics.is_err());
    assert_eq!(log.take(), ["dropped"]);
    assert!(numbers.is_terminated());
    assert_eq!(poll_idly(pin!(numbers.next())), Poll::Ready(None::<i32>));
}
