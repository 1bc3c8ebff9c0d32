//! The only worker that keeps watch over one that computes is called away by a task of
//! its own: another keeps watch instead of it.

mod telling;

use std::future::poll_fn;
use std::hint::spin_loop;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering::SeqCst};
use std::sync::{Arc, Mutex};
use std::task::{Poll, Waker};
use std::thread;
use std::time::{Duration, Instant};

use telling::Telling;
use wakeline_executor::{Executor, ParkDriver, spawn_local};

const WORKERS: usize = 3;
const TRIES: usize = 200;
/// How long is computed at most in a try.
const LONG: Duration = Duration::from_millis(20);

/// How often each worker has looked after worker 0.
type Looks = [AtomicUsize; WORKERS];

/// Whose thread this is, by its name.
fn here() -> usize {
    let name = thread::current().name().map(str::to_owned);
    let index = name.as_deref().and_then(|name| name.rsplit('-').next());
    index.expect("a worker").parse().expect("its number")
}

/// Calls a local task of a worker.
#[derive(Default)]
struct Bell {
    rung: AtomicBool,
    waker: Mutex<Option<Waker>>,
}

impl Bell {
    fn ring(&self) {
        self.rung.store(true, SeqCst);
        if let Some(waker) = self.waker.lock().unwrap().take() {
            waker.wake();
        }
    }

    async fn wait(&self) {
        poll_fn(|cx| {
            *self.waker.lock().unwrap() = Some(cx.waker().clone());
            match self.rung.swap(false, SeqCst) {
                true => Poll::Ready(()),
                false => Poll::Pending,
            }
        })
        .await;
    }
}

/// What the workers share.
#[derive(Default)]
struct Room {
    looks: Arc<Looks>,
    bells: [Bell; WORKERS],
    arrived: AtomicUsize,
    tries: AtomicUsize,
    over: AtomicBool,
    relieved: AtomicBool,
}

impl Room {
    /// Computes until `done`, or for as long as a try may take.
    fn compute(&self, mut done: impl FnMut() -> bool) {
        let end = Instant::now() + LONG;
        while Instant::now() < end && !done() && !self.relieved.load(SeqCst) {
            spin_loop();
        }
    }

    /// Worker 0 computes. Who looks after it is called, and then computes, too.
    fn be_looked_after(&self) {
        let looked = |by: &usize| self.looks[*by].load(SeqCst);
        let before: [usize; WORKERS] = std::array::from_fn(|by| looked(&by));
        let mut called = None;
        self.compute(|| {
            if called.is_none() {
                called = (1..WORKERS).find(|by| looked(by) > before[*by]);
                called.iter().for_each(|by| self.bells[*by].ring());
            }
            false
        });
        self.tries.fetch_add(1, SeqCst);
    }

    /// Another than this worker looks after worker 0 meanwhile.
    fn be_relieved(&self) {
        let other = WORKERS - here();
        let before = self.looks[other].load(SeqCst);
        self.compute(|| self.looks[other].load(SeqCst) > before + 2);
        if self.looks[other].load(SeqCst) > before + 2 {
            self.relieved.store(true, SeqCst);
        }
    }

    async fn work(&self) {
        let here = here();
        loop {
            self.bells[here].wait().await;
            match here {
                _ if self.over.load(SeqCst) => return,
                0 => self.be_looked_after(),
                _ => self.be_relieved(),
            }
        }
    }
}

#[test]
fn who_keeps_watch_and_is_called_away_is_relieved() {
    let room = Arc::new(Room::default());
    let looks = Arc::clone(&room.looks);
    let executor = Executor::builder()
        .workers(WORKERS)
        .driver(move |worker| {
            let looks = Arc::clone(&looks);
            match worker {
                0 => Ok(Box::new(Telling::new(move |_| {
                    looks[here()].fetch_add(1, SeqCst);
                }))),
                _ => Ok(Box::new(ParkDriver::new())),
            }
        })
        .build()
        .unwrap();
    let locals = Arc::new(Mutex::new(Vec::new()));
    for _ in 0..WORKERS {
        let (room, locals) = (Arc::clone(&room), Arc::clone(&locals));
        drop(executor.spawn(async move {
            // Each on a worker of its own.
            room.arrived.fetch_add(1, SeqCst);
            while room.arrived.load(SeqCst) < WORKERS {
                thread::yield_now();
            }
            let local = spawn_local(async move { room.work().await });
            locals.lock().unwrap().push(local);
        }));
    }
    for nth in 1..=TRIES {
        room.bells[0].ring();
        while room.tries.load(SeqCst) < nth {
            thread::yield_now();
        }
        if room.relieved.load(SeqCst) {
            break;
        }
    }
    let relieved = room.relieved.load(SeqCst);
    room.over.store(true, SeqCst);
    room.bells.iter().for_each(Bell::ring);
    while locals.lock().unwrap().len() < WORKERS {
        thread::yield_now();
    }
    for local in std::mem::take(&mut *locals.lock().unwrap()) {
        local.blocking_join(None).expect("no limit").unwrap();
    }
    assert!(relieved, "nobody kept watch instead, {TRIES} times");
}
