//! Virtual time beside what it does not rule: jobs, files, sockets, threads.

use std::io::Write;
use std::net::Shutdown;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc;
use std::time::{Duration, Instant};

use wakeline::io::{self, AsyncReadExt, AsyncWriteExt};
use wakeline::net::{UdpSocket, UnixStream};
use wakeline::test::wait_all_blocked;
use wakeline::time::{self, advance, sleep};
use wakeline::{FutureExt, Handle, Runtime, spawn, spawn_blocking};

use crate::row_26_virtual_time::{MS, S, paused};

#[test]
fn time_waits_for_a_blocking_job() {
    paused(|| async {
        let start = time::now();
        let limited = spawn_blocking(|| std::thread::sleep(MS(20))).timeout(MS(1));
        assert!(limited.await.is_ok(), "no time has passed for the job");
        assert_eq!(time::now(), start);
    });
}

#[test]
fn the_end_of_a_job_that_nobody_waits_for_lets_time_go_on() {
    paused(|| async {
        let start = time::now();
        let ended = Arc::new(AtomicBool::new(false));
        for _ in 0..3 {
            let ended = Arc::clone(&ended);
            drop(spawn_blocking(move || {
                std::thread::sleep(MS(10));
                ended.store(true, Ordering::SeqCst);
            }));
        }
        sleep(S(60)).await;
        assert_eq!(time::now() - start, S(60));
        assert!(ended.load(Ordering::SeqCst));
    });
}

#[test]
fn a_job_that_is_only_queued_counts_too() {
    crate::support::for_each_backend(|backend| {
        let builder = backend.builder().start_paused(true).blocking_threads(1);
        builder.build().expect("a runtime").block_on(async {
            let (release, released) = mpsc::channel::<()>();
            let running = spawn_blocking(move || released.recv());
            let ran = Arc::new(AtomicBool::new(false));
            let queued = spawn_blocking({
                let ran = Arc::clone(&ran);
                move || ran.store(true, Ordering::SeqCst)
            });
            release.send(()).expect("it waits");
            sleep(S(1)).await;
            assert!(ran.load(Ordering::SeqCst));
            running.await.expect("no panic").expect("released");
            queued.await.expect("no panic");
        });
    });
}

#[test]
fn an_aborted_job_does_not_hold_the_time_for_ever() {
    crate::support::for_each_backend(|backend| {
        let builder = backend.builder().start_paused(true).blocking_threads(1);
        builder.build().expect("a runtime").block_on(async {
            let start = time::now();
            let (release, released) = mpsc::channel::<()>();
            let running = spawn_blocking(move || released.recv());
            let queued = spawn_blocking(|| panic!("never runs"));
            let sleeper = spawn(async { sleep(S(1)).await });
            // From another thread, while this one sleeps.
            let handle = queued.abort_handle();
            let aborter = std::thread::spawn(move || {
                release.send(()).expect("it waits");
                handle.abort();
            });
            drop(running);
            sleeper.await.expect("no panic");
            assert_eq!(time::now() - start, S(1));
            aborter.join().expect("no panic");
        });
    });
}

#[test]
fn advance_does_not_wait_for_jobs() {
    paused(|| async {
        let start = time::now();
        let (release, released) = mpsc::channel::<()>();
        let job = spawn_blocking(move || released.recv());
        advance(S(5)).await;
        assert_eq!(time::now() - start, S(5));
        release.send(()).expect("it waits");
        job.await.expect("no panic").expect("released");
    });
}

#[test]
fn a_dropped_advance_does_not_move_the_time_beside_a_job() {
    paused(|| async {
        let start = time::now();
        let _ = advance(S(60)).timeout(Duration::ZERO).await;
        let job = spawn_blocking(|| std::thread::sleep(MS(5)));
        job.await.expect("no panic");
        assert_eq!(time::now(), start);
    });
}

#[test]
fn a_wake_from_another_thread_is_looked_after_before_an_advance_goes_on() {
    paused(|| async {
        let start = time::now();
        let (tx, rx) = wakeline::sync::oneshot::channel();
        let task = spawn(async move { (rx.await, time::now()) });
        wait_all_blocked().await;
        // While this thread is awake, so that nothing takes the notification.
        let thread = std::thread::spawn(move || tx.send(7));
        thread.join().expect("no panic").expect("received");
        advance(S(1)).await;
        assert!(task.is_finished());
        assert_eq!(task.await.expect("no panic"), (Ok(7), start));
        assert_eq!(time::now() - start, S(1));
    });
}

#[test]
fn a_job_sees_the_clock_of_its_runtime() {
    paused(|| async {
        sleep(S(3_600)).await;
        let seen = spawn_blocking(time::now).await.expect("no panic");
        assert_eq!(seen, time::now());
        assert!(seen > Instant::now() + S(3_000));
    });
}

#[test]
fn a_block_on_beside_the_worker_goes_by_the_real_clock() {
    paused(|| async {
        let start = time::now();
        let handle = Handle::current();
        let job = spawn_blocking(move || {
            handle.block_on(async {
                let start = time::now();
                sleep(MS(2)).await;
                assert!(!time::is_paused());
                time::now() - start
            })
        });
        assert!(job.await.expect("no panic") >= MS(2), "early");
        assert_eq!(time::now(), start);
    });
}

#[test]
fn wait_all_blocked_waits_for_jobs() {
    paused(|| async {
        let ended = Arc::new(AtomicBool::new(false));
        let job = spawn_blocking({
            let ended = Arc::clone(&ended);
            move || {
                std::thread::sleep(MS(10));
                ended.store(true, Ordering::SeqCst);
            }
        });
        wait_all_blocked().await;
        assert!(ended.load(Ordering::SeqCst));
        assert!(job.is_finished());
    });
}

#[test]
fn what_a_socket_has_is_seen_before_time_moves() {
    paused(|| async {
        let start = time::now();
        let (mut here, there) = std::os::unix::net::UnixStream::pair().expect("a pair");
        there.set_nonblocking(true).expect("a mode");
        let there = UnixStream::from_std(there).expect("a stream");
        let reader = spawn(async move {
            let mut byte = [0];
            let read = there.read(&mut byte);
            let read = read.timeout(S(1)).await;
            (read.map(|read| read.expect("a byte")), time::now())
        });
        wait_all_blocked().await;
        here.write_all(b"x").expect("room");
        let (read, at) = reader.await.expect("no panic");
        assert_eq!((read, at), (Ok(1), start));
        drop(here.shutdown(Shutdown::Both));
    });
}

#[test]
fn a_silent_socket_does_not_hold_the_time() {
    paused(|| async {
        let start = time::now();
        let socket = UdpSocket::bind("127.0.0.1:0").await.expect("a socket");
        let mut byte = [0];
        assert!(socket.recv_from(&mut byte).timeout(S(60)).await.is_err());
        assert_eq!(time::now() - start, S(60));
    });
}

#[test]
fn a_wake_from_a_thread_of_the_programs_own_ends_the_sleep() {
    paused(|| async {
        let (tx, rx) = wakeline::sync::oneshot::channel();
        let thread = std::thread::spawn(move || tx.send(7));
        assert_eq!(rx.await, Ok(7)); // no timer: nothing to jump to
        thread.join().expect("no panic").expect("received");
    });
}

/// The message of the panic of `f`.
#[track_caller]
fn panic_of<T>(f: impl FnOnce() -> T) -> String {
    let Err(panic) = catch_unwind(AssertUnwindSafe(f)) else {
        panic!("it did not panic");
    };
    let text = panic.downcast_ref::<String>().cloned();
    text.or_else(|| panic.downcast_ref::<&str>().map(|text| (*text).to_owned()))
        .expect("a text")
}

#[test]
fn where_time_cannot_be_paused_the_panic_says_why() {
    let outside = panic_of(time::pause);
    assert!(outside.contains("no runtime on this thread"), "{outside}");

    let runtime = Runtime::builder().workers(2).build().expect("a runtime");
    let on_worker = runtime.block_on(async { spawn(async { panic_of(time::pause) }).await });
    let on_root = runtime.block_on(async { panic_of(time::pause) });
    for text in [on_worker.expect("no panic"), on_root] {
        assert!(text.contains("a runtime with one worker"), "{text}");
    }

    let two = panic_of(|| Runtime::builder().workers(2).start_paused(true).build());
    assert!(two.contains("only with one worker, not with 2"), "{two}");
}

#[test]
fn using_paused_time_out_of_order_panics_with_advice() {
    let runtime = Runtime::builder().workers(1).build().expect("a runtime");
    runtime.block_on(async {
        let not_paused = [
            panic_of(time::resume),
            panic_of(|| time::auto_advance(true)),
            spawn(advance(MS(1)))
                .await
                .expect_err("a panic")
                .to_string(),
        ];
        for text in not_paused {
            assert!(text.contains("time is not paused"), "{text}");
        }
        time::pause();
        let twice = panic_of(time::pause);
        assert!(twice.contains("paused already"), "{twice}");
        sleep(Duration::from_secs(60)).await; // and it still works
    });
}

#[test]
fn a_shutdown_of_a_paused_runtime_lets_its_tasks_end_in_their_time() {
    crate::support::for_each_backend(|backend| {
        let builder = backend.builder().start_paused(true);
        let runtime = builder.build().expect("a runtime");
        runtime.block_on(async { drop(spawn(sleep(S(3_600)))) });
        let report = runtime.shutdown(S(60));
        assert_eq!((report.finished, report.cut_off.len()), (1, 0));
    });
}

#[test]
fn in_a_foreign_loop_time_jumps_too_and_waits_for_jobs() {
    crate::support::for_each_backend(|backend| {
        let builder = backend.builder().start_paused(true);
        let runtime = builder.build().expect("a runtime");
        let start = runtime.block_on(async { time::now() });
        let ended = Arc::new(AtomicBool::new(false));
        let task = runtime.spawn(async {
            sleep(S(60)).await;
            time::now()
        });
        drop(runtime.spawn_blocking({
            let ended = Arc::clone(&ended);
            move || {
                std::thread::sleep(MS(5));
                ended.store(true, Ordering::SeqCst);
            }
        }));
        while !task.is_finished() {
            runtime.poll_once(S(1)).expect("a driver");
        }
        assert!(ended.load(Ordering::SeqCst));
        let at = runtime.block_on(task).expect("no panic");
        assert_eq!(at - start, S(60));
    });
}

#[test]
fn a_stream_in_memory_is_part_of_the_program_and_time_goes_on_around_it() {
    paused(|| async {
        let (mut here, mut there) = io::duplex(4);
        let start = time::now();
        let asking = spawn(async move {
            sleep(S(5)).await;
            there.write_all(b"question").await?; // more than there is room for
            let mut answer = [0; 2];
            there.read_exact(&mut answer).timeout(S(60)).await??;
            std::io::Result::Ok(answer)
        });
        let mut question = [0; 8];
        let early = here.read_exact(&mut question).timeout(S(2)).await;
        assert!(early.is_err(), "nobody has asked yet");
        here.read_exact(&mut question).await.expect("it comes");
        assert_eq!((&question, time::now() - start), (b"question", S(5)));
        sleep(S(30)).await;
        here.write_all(b"42").await.expect("it is awaited");
        assert_eq!(&asking.await.expect("it ends").expect("in time"), b"42");
        assert_eq!(time::now() - start, S(35));
    });
}
