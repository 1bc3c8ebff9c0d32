//! Running a runtime by hand: in bursts, one turn at a time, with a stop.

use std::future::{Future, pending, poll_fn};
use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::{Pin, pin};
use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};
use std::sync::{Arc, mpsc};
use std::task::Poll;
use std::thread;
use std::time::{Duration, Instant};

use wakeline::net::UdpSocket;
use wakeline::time::sleep;
use wakeline::{Runtime, spawn_eager, yield_now};

use crate::support::for_each_backend;
use crate::with_every_runtime;

/// On a runtime of one worker, with each backend.
fn with_each_only(test: impl Fn(Runtime)) {
    for_each_backend(|backend| test(backend.runtime(1)));
}

#[test]
fn short_bursts_drive_the_timers_of_background_tasks() {
    with_every_runtime(|runtime| {
        let task = runtime.spawn(async {
            for _ in 0..3 {
                sleep(Duration::from_millis(2)).await;
            }
            "slept"
        });
        let mut bursts = 0_u64;
        while !task.is_finished() {
            runtime.block_on(yield_now());
            bursts += 1;
        }
        assert!(bursts > 0);
        assert_eq!(runtime.block_on(task).unwrap(), "slept");
    });
}

#[test]
fn bursts_that_are_ready_at_once_let_background_tasks_on() {
    with_every_runtime(|runtime| {
        let task = runtime.spawn(async {
            for _ in 0..50 {
                yield_now().await;
            }
            sleep(Duration::from_millis(1)).await;
        });
        while !task.is_finished() {
            // Pending once, by its own wake: no driver, no other task needed.
            let mut first = true;
            runtime.block_on(poll_fn(|cx| {
                cx.waker().wake_by_ref();
                if std::mem::take(&mut first) {
                    Poll::Pending
                } else {
                    Poll::Ready(())
                }
            }));
        }
    });
}

#[test]
fn after_61_bursts_at_most_the_background_has_its_turn() {
    with_each_only(|runtime| {
        let task = runtime.spawn(async {
            for _ in 0..10 {
                yield_now().await;
            }
        });
        let mut bursts = 0;
        while !task.is_finished() {
            // Ready at its first poll: nothing else runs in it by itself.
            runtime.block_on(async {});
            bursts += 1;
            assert!(bursts < 61 * 20, "the task starves");
        }
    });
}

#[test]
fn a_stop_leaves_the_work_pending_and_it_can_be_resumed() {
    with_every_runtime(|runtime| {
        let (go, gone) = wakeline::sync::oneshot::channel();
        let mut work = pin!(async { gone.await.expect("sent") + 1 });
        // Until the stop: the work is borrowed, so it stays.
        let stopped = runtime.block_on(async {
            let mut stop = pin!(yield_now());
            poll_fn(|cx| match work.as_mut().poll(cx) {
                Poll::Ready(_) => Poll::Ready(Ok(())),
                Poll::Pending => stop.as_mut().poll(cx).map(Err),
            })
            .await
        });
        assert_eq!(stopped, Err(()));
        go.send(1).expect("it still waits");
        assert_eq!(runtime.block_on(work), 2);
    });
}

#[test]
fn one_turn_polls_each_ready_task_before_and_after_it() {
    with_each_only(|runtime| {
        let polls = Arc::new(AtomicUsize::new(0));
        for _ in 0..3 {
            let polls = Arc::clone(&polls);
            // Always ready again: it must not keep the foreign loop waiting.
            drop(runtime.spawn(poll_fn(move |cx| {
                polls.fetch_add(1, SeqCst);
                cx.waker().wake_by_ref();
                Poll::<()>::Pending
            })));
        }
        for round in 1..=5 {
            let turn = runtime.poll_once(Duration::from_secs(60)).expect("a turn");
            assert_eq!((turn.polled, turn.more), (6, true));
            assert_eq!(polls.load(SeqCst), 6 * round);
        }
    });
}

#[test]
fn bursts_drive_sockets_too() {
    with_every_runtime(|runtime| {
        let task = runtime.spawn(async {
            let here = UdpSocket::bind("127.0.0.1:0").await?;
            let there = UdpSocket::bind("127.0.0.1:0").await?;
            let to = here.local_addr()?;
            let sender = wakeline::spawn(async move {
                sleep(Duration::from_millis(1)).await;
                there.send_to(b"hello", to).await
            });
            let mut buffer = [0; 16];
            let (length, _from) = here.recv_from(&mut buffer).await?;
            sender.await??;
            io::Result::Ok(length)
        });
        while !task.is_finished() {
            // Ready at once: no turn and no task of its own.
            runtime.block_on(async {});
        }
        assert_eq!(runtime.block_on(task).unwrap().unwrap(), 5);
    });
}

#[test]
fn turns_drive_timers_and_sockets() {
    with_each_only(|runtime| {
        let task = runtime.spawn(async {
            sleep(Duration::from_millis(2)).await;
            let here = UdpSocket::bind("127.0.0.1:0").await?;
            let there = UdpSocket::bind("127.0.0.1:0").await?;
            let to = here.local_addr()?;
            let sender = wakeline::spawn(async move {
                sleep(Duration::from_millis(1)).await;
                there.send_to(b"hello", to).await
            });
            let mut buffer = [0; 16];
            let (length, _from) = here.recv_from(&mut buffer).await?;
            sender.await??;
            io::Result::Ok(length)
        });
        while !task.is_finished() {
            runtime.poll_once(Duration::from_secs(60)).expect("a turn");
        }
        assert_eq!(runtime.block_on(task).unwrap().unwrap(), 5);
    });
}

#[test]
fn a_turn_may_be_unlimited_and_ends_with_what_happens() {
    with_each_only(|runtime| {
        let task = runtime.spawn(sleep(Duration::from_millis(5)));
        while !task.is_finished() {
            runtime.poll_once(Duration::MAX).expect("a turn");
        }
    });
}

#[test]
fn a_turn_without_work_does_not_wait_longer_than_told() {
    with_each_only(|runtime| {
        let turn = runtime.poll_once(Duration::ZERO).expect("a turn");
        assert_eq!((turn.polled, turn.more), (0, false));
        let turn = runtime.poll_once(Duration::from_millis(1)).expect("a turn");
        assert_eq!((turn.polled, turn.more), (0, false));
    });
}

#[test]
fn a_turn_sleeps_beside_tasks_that_wait_for_sockets() {
    with_each_only(|runtime| {
        let waits = runtime.spawn(async {
            let socket = UdpSocket::bind("127.0.0.1:0").await?;
            socket.recv(&mut [0; 16]).await
        });
        let limit = Duration::from_millis(5);
        for _ in 0..10 {
            let start = Instant::now();
            let turn = runtime.poll_once(limit).expect("a turn");
            assert!(!turn.more);
            assert!(start.elapsed() >= limit, "{:?}", start.elapsed());
        }
        assert!(!waits.is_finished());
        waits.abort();
    });
}

#[test]
fn a_turn_after_the_end_of_a_task_does_not_sleep() {
    with_each_only(|runtime| {
        let task = runtime.spawn(async { 3 });
        let turn = runtime.poll_once(Duration::MAX).expect("a turn");
        assert_eq!((turn.polled, turn.more), (1, false));
        assert_eq!(runtime.block_on(task).unwrap(), 3);
    });
}

#[test]
fn nor_does_one_after_the_end_of_a_task_that_has_left_another() {
    with_each_only(|runtime| {
        let task = runtime.spawn(async { drop(spawn_eager(pending::<()>())) });
        let turn = runtime.poll_once(Duration::MAX).expect("a turn");
        assert_eq!((turn.polled, task.is_finished()), (1, true));
    });
}

#[test]
fn another_thread_ends_a_turn_that_sleeps() {
    with_each_only(|runtime| {
        runtime
            .poll_once(Duration::ZERO)
            .expect("bound to this thread");
        let handle = runtime.handle();
        let spawner = thread::spawn(move || handle.spawn(async { 3 }));
        let mut polled = 0;
        while polled == 0 {
            polled = runtime.poll_once(Duration::MAX).expect("a turn").polled;
        }
        let task = spawner.join().expect("no panic");
        assert_eq!(runtime.block_on(task).unwrap(), 3);
    });
}

#[test]
fn turns_and_bursts_may_alternate() {
    with_each_only(|runtime| {
        let count = Arc::new(AtomicUsize::new(0));
        let ours = Arc::clone(&count);
        drop(runtime.spawn(async move {
            loop {
                ours.fetch_add(1, SeqCst);
                yield_now().await;
            }
        }));
        for _ in 0..10 {
            runtime.poll_once(Duration::ZERO).expect("a turn");
            runtime.block_on(yield_now());
        }
        assert!(count.load(SeqCst) >= 10, "each turn let it on");
    });
}

#[test]
fn where_turns_make_no_sense_it_is_an_error_or_a_panic_with_advice() {
    for_each_backend(|backend| {
        let error = backend
            .runtime(2)
            .poll_once(Duration::ZERO)
            .expect_err("it runs by itself");
        assert_eq!(error.kind(), io::ErrorKind::Unsupported);

        let runtime = backend.runtime(1);
        let handle = runtime.handle();
        let (bound, is_bound) = mpsc::channel();
        let (leave, left) = mpsc::channel::<()>();
        let other = thread::spawn(move || {
            handle.block_on(async {});
            bound.send(()).unwrap();
            // Its end would be the executor's.
            let _ = left.recv();
        });
        is_bound.recv().expect("it is bound there");
        let error = runtime
            .poll_once(Duration::ZERO)
            .expect_err("bound to another thread");
        assert!(
            error.to_string().contains("bound to another thread"),
            "{error}"
        );
        drop(leave);
        other.join().expect("no panic");
        let error = runtime
            .poll_once(Duration::ZERO)
            .expect_err("ended with its thread");
        assert!(error.to_string().contains("ended"), "{error}");

        let runtime = backend.runtime(1);
        let caught = catch_unwind(AssertUnwindSafe(|| {
            runtime.block_on(async { drop(runtime.poll_once(Duration::ZERO)) });
        }));
        assert!(caught.is_err());
    });
}

#[test]
fn a_join_handle_is_resumed_after_a_stop_too() {
    with_every_runtime(|runtime| {
        let mut task = runtime.spawn(async {
            for _ in 0..100 {
                yield_now().await;
            }
            "done"
        });
        let mut bursts = 0;
        let output = loop {
            bursts += 1;
            // One look, then the stop.
            let looked = runtime.block_on(poll_fn(|cx| {
                Poll::Ready(match Pin::new(&mut task).poll(cx) {
                    Poll::Ready(output) => Some(output),
                    Poll::Pending => None,
                })
            }));
            match looked {
                Some(output) => break output,
                None => runtime.block_on(yield_now()),
            }
        };
        assert_eq!(output.unwrap(), "done");
        assert!(bursts > 0);
    });
}
