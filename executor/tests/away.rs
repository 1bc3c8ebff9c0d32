//! A local task whose waker and handle are used away from its thread.

use std::future::{pending, poll_fn};
use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};
use std::sync::{Arc, mpsc};
use std::task::{Poll, Waker};
use std::thread;

use wakeline_executor::{Executor, JoinHandle, spawn_local, yield_now};

/// Counts how many of its kind are alive.
struct Counted(Arc<AtomicUsize>);

impl Counted {
    fn new(alive: &Arc<AtomicUsize>) -> Counted {
        alive.fetch_add(1, SeqCst);
        Counted(Arc::clone(alive))
    }
}

impl Drop for Counted {
    fn drop(&mut self) {
        self.0.fetch_sub(1, SeqCst);
    }
}

fn executor() -> Executor {
    Executor::builder().workers(1).build().unwrap()
}

/// A thread that does something to each thing it is sent.
fn elsewhere<T: Send + 'static>(
    act: impl FnMut(T) + Send + 'static,
) -> (mpsc::Sender<T>, thread::JoinHandle<()>) {
    let (to, things) = mpsc::channel();
    let thread = thread::spawn(move || things.into_iter().for_each(act));
    (to, thread)
}

#[test]
fn a_wake_from_away_during_the_last_poll_is_taken_out_of_the_mailbox() {
    let executor = executor();
    let (wakers, thread) = elsewhere(|(waker, woken): (Waker, mpsc::Sender<()>)| {
        waker.wake();
        woken.send(()).unwrap();
    });
    let alive = Arc::new(AtomicUsize::new(0));
    executor.block_on(async {
        for _ in 0..if cfg!(miri) { 5 } else { 100 } {
            let (wakers, counted) = (wakers.clone(), Counted::new(&alive));
            let task = spawn_local(poll_fn(move |cx| {
                let (woken, was_woken) = mpsc::channel();
                wakers.send((cx.waker().clone(), woken)).unwrap();
                was_woken.recv().unwrap();
                // Posted, and never to be polled again.
                let _ = &counted;
                Poll::Ready(7)
            }));
            assert_eq!(task.await.unwrap(), 7);
        }
        assert_eq!(alive.load(SeqCst), 0);
        yield_now().await;
    });
    assert!(executor.handle().tasks().is_empty());
    drop(wakers);
    thread.join().unwrap();
    drop(executor);
}

#[test]
fn wakes_from_away_are_not_lost() {
    let (wakers, thread) = elsewhere(Waker::wake);
    let executor = executor();
    executor.block_on(async {
        let tasks: Vec<_> = (0..8)
            .map(|_| {
                let wakers = wakers.clone();
                spawn_local(async move {
                    for _ in 0..if cfg!(miri) { 5 } else { 500 } {
                        let mut sent = false;
                        poll_fn(|cx| {
                            if std::mem::replace(&mut sent, true) {
                                return Poll::Ready(());
                            }
                            wakers.send(cx.waker().clone()).unwrap();
                            Poll::Pending
                        })
                        .await;
                    }
                })
            })
            .collect();
        for task in tasks {
            task.await.unwrap();
        }
    });
    drop(wakers);
    thread.join().unwrap();
}

#[test]
fn a_handle_gives_the_output_to_another_thread_and_drops_it_there() {
    const HANDLES: usize = if cfg!(miri) { 30 } else { 900 };
    let alive = Arc::new(AtomicUsize::new(0));
    let (joined, outputs) = mpsc::channel();
    let (handles, thread) = elsewhere(move |(n, handle): (usize, JoinHandle<Counted>)| {
        if n % 3 == 0 {
            drop(handle);
            return;
        }
        let output = handle.blocking_join(None).unwrap();
        if n % 3 == 1 {
            joined.send(output.is_ok()).unwrap();
        } else {
            drop(output);
        }
    });
    let executor = executor();
    executor.block_on(async {
        for n in 0..HANDLES {
            let alive = Arc::clone(&alive);
            let handle = spawn_local(async move {
                if n % 2 == 0 {
                    yield_now().await;
                }
                Counted::new(&alive)
            });
            handles.send((n, handle)).unwrap();
            if n % 5 == 0 {
                yield_now().await;
            }
        }
        drop(handles);
        while !thread.is_finished() {
            yield_now().await;
        }
    });
    thread.join().unwrap();
    assert_eq!(outputs.into_iter().filter(|ok| *ok).count(), HANDLES / 3);
    drop(executor);
    assert_eq!(alive.load(SeqCst), 0);
}

#[test]
fn a_handle_that_was_polled_at_home_can_be_polled_away_and_back() {
    let executor = executor();
    executor.block_on(async {
        let (tell, told) = mpsc::channel();
        let mut handle = spawn_local(poll_fn(move |_| match told.try_recv() {
            Ok(()) => Poll::Ready(5),
            Err(_) => Poll::Pending,
        }));
        let poll = |handle: &mut JoinHandle<i32>| {
            let mut cx = std::task::Context::from_waker(Waker::noop());
            std::pin::Pin::new(handle).poll(&mut cx).map(Result::unwrap)
        };
        assert!(poll(&mut handle).is_pending());
        let mut handle = thread::spawn(move || {
            assert!(poll(&mut handle).is_pending());
            assert!(poll(&mut handle).is_pending());
            handle
        })
        .join()
        .unwrap();
        assert!(poll(&mut handle).is_pending());
        yield_now().await;
        tell.send(()).unwrap();
        handle.abort();
        let ended = handle.await;
        assert!(ended.unwrap_err().is_cancelled());
    });
}

#[test]
fn an_abort_from_away_drops_the_future_at_home() {
    struct Home(thread::ThreadId);
    impl Drop for Home {
        fn drop(&mut self) {
            assert_eq!(self.0, thread::current().id());
        }
    }
    let executor = executor();
    executor.block_on(async {
        for started in [true, false].repeat(50) {
            let home = Home(thread::current().id());
            let handle = spawn_local(async move {
                let _home = home;
                pending::<()>().await;
            });
            if started {
                yield_now().await;
            }
            let aborter = handle.abort_handle();
            thread::spawn(move || aborter.abort()).join().unwrap();
            assert!(handle.await.unwrap_err().is_cancelled());
        }
    });
}
