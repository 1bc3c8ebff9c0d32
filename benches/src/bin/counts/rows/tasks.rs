//! Tasks, and what they tell each other.

use std::future::{Future, pending, poll_fn, ready};
use std::hint::black_box;
use std::io::Error;
use std::rc::Rc;
use std::task::Poll;

use wakeline::sync::{Mutex, Semaphore, mpsc, oneshot};
use wakeline::{Builder, Driver, JoinHandle, spawn, spawn_local};

/// Tasks in a row of many.
const TASKS: u64 = 1_000;

fn run(future: impl Future<Output = ()> + 'static) -> Result<(), Error> {
    // No row here does I/O: the driver has no part in it.
    super::on_one_worker(Driver::Epoll, future)
}

async fn join<T>(task: JoinHandle<T>) -> T {
    task.await.expect("no panic")
}

/// Wakes itself `times` times.
async fn self_wakes(times: u64) {
    let mut left = times;
    poll_fn(|cx| {
        if left == 0 {
            return Poll::Ready(());
        }
        left -= 1;
        cx.waker().wake_by_ref();
        Poll::Pending
    })
    .await;
}

pub(super) fn block_on_ready(ops: u64) -> Result<(), Error> {
    let runtime = Builder::new().workers(1).driver(Driver::Epoll).build()?;
    for n in 0..ops {
        assert_eq!(runtime.block_on(ready(black_box(n))), n);
    }
    Ok(())
}

pub(super) fn self_wake_1(ops: u64) -> Result<(), Error> {
    run(self_wakes(ops))
}

pub(super) fn self_wake_1000(ops: u64) -> Result<(), Error> {
    run(async move {
        let tasks: Vec<_> = (0..TASKS)
            .map(|_| spawn_local(self_wakes(ops / TASKS)))
            .collect();
        for task in tasks {
            join(task).await;
        }
    })
}

pub(super) fn spawn_join_local(ops: u64) -> Result<(), Error> {
    run(async move {
        for n in 0..ops {
            assert_eq!(join(spawn_local(async move { n })).await, n);
        }
    })
}

pub(super) fn spawn_join(ops: u64) -> Result<(), Error> {
    run(async move {
        for n in 0..ops {
            assert_eq!(join(spawn(async move { n })).await, n);
        }
    })
}

pub(super) fn spawn_all(ops: u64) -> Result<(), Error> {
    run(async move {
        let crowd = 10_000;
        for _ in 0..ops / crowd {
            let tasks: Vec<_> = (0..crowd).map(|n| spawn_local(async move { n })).collect();
            for task in tasks {
                join(task).await;
            }
        }
    })
}

pub(super) fn abort_join(ops: u64) -> Result<(), Error> {
    run(async move {
        for _ in 0..ops {
            let task = spawn_local(pending::<()>());
            task.abort();
            assert!(task.await.is_err());
        }
    })
}

fn channel(senders: u64, ops: u64) -> Result<(), Error> {
    run(async move {
        let (to, mut from) = mpsc::channel::<u64>(100);
        for _ in 0..senders {
            let to = to.clone();
            drop(spawn_local(async move {
                for n in 0..ops / senders {
                    assert!(to.send(n).await.is_ok());
                }
            }));
        }
        drop(to);
        let mut got = 0;
        while from.recv().await.is_some() {
            got += 1;
        }
        assert_eq!(got, ops);
    })
}

pub(super) fn channel_1(ops: u64) -> Result<(), Error> {
    channel(1, ops)
}

pub(super) fn channel_8(ops: u64) -> Result<(), Error> {
    channel(8, ops)
}

pub(super) fn ping_pong(ops: u64) -> Result<(), Error> {
    run(async move {
        let (there, mut pings) = mpsc::channel::<u64>(1);
        let (back, mut pongs) = mpsc::channel::<u64>(1);
        drop(spawn_local(async move {
            while let Some(ping) = pings.recv().await {
                assert!(back.send(ping).await.is_ok());
            }
        }));
        for n in 0..ops {
            assert!(there.send(n).await.is_ok());
            assert_eq!(pongs.recv().await, Some(n));
        }
    })
}

pub(super) fn one_shot(ops: u64) -> Result<(), Error> {
    run(async move {
        let (there, mut requests) = mpsc::channel::<(u64, oneshot::Sender<u64>)>(16);
        drop(spawn_local(async move {
            while let Some((n, to)) = requests.recv().await {
                assert!(to.send(n).is_ok());
            }
        }));
        for n in 0..ops {
            let (to, from) = oneshot::channel();
            assert!(there.send((n, to)).await.is_ok());
            assert_eq!(from.await.expect("a reply"), n);
        }
    })
}

pub(super) fn semaphore(ops: u64) -> Result<(), Error> {
    run(async move {
        let semaphore = Rc::new(Semaphore::new(10));
        let tasks: Vec<_> = (0..TASKS)
            .map(|_| {
                let semaphore = Rc::clone(&semaphore);
                spawn_local(async move {
                    for _ in 0..ops / TASKS {
                        let permit = semaphore.acquire().await;
                        self_wakes(1).await;
                        drop(permit);
                    }
                })
            })
            .collect();
        for task in tasks {
            join(task).await;
        }
    })
}

pub(super) fn mutex(ops: u64) -> Result<(), Error> {
    run(async move {
        let mutex = Rc::new(Mutex::new(0_u64));
        let tasks: Vec<_> = (0..TASKS)
            .map(|_| {
                let mutex = Rc::clone(&mutex);
                spawn_local(async move {
                    for _ in 0..ops / TASKS {
                        let mut guard = mutex.lock().await;
                        self_wakes(1).await;
                        *guard += 1;
                    }
                })
            })
            .collect();
        for task in tasks {
            join(task).await;
        }
        assert_eq!(*mutex.lock().await, ops);
    })
}
