//! What surrounds the code that runs, a task, its values, a token: each task and the
//! future of a `block_on` has its own, and the thread has none of it in between.

use std::future::poll_fn;
use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, Mutex, mpsc};
use std::time::Duration;

use wakeline_context::{Key, Locals, current_task, current_token, install_token, task_local};
use wakeline_executor::{
    Driver, Executor, Handle, Interrupt, ParkDriver, spawn, spawn_blocking, spawn_eager,
    spawn_local, task, yield_now,
};

static NUMBER: Key = Key::new();

fn number() -> Option<u32> {
    Locals::current().get(&NUMBER).copied()
}

fn numbered(number: u32) -> Locals {
    Locals::empty().with(&NUMBER, number)
}

/// Runs `test` on executors of one and of two workers.
fn on_each(test: impl Fn(&Executor)) {
    for workers in [1, 2] {
        let executor = Executor::builder().workers(workers).build();
        test(&executor.expect("an executor"));
    }
}

fn bare() -> task::Builder {
    task::Builder::new().context(Locals::empty())
}

#[test]
fn a_block_on_keeps_what_surrounds_it_for_its_future() {
    on_each(|executor| {
        let _values = numbered(1).install();
        let _token = install_token(Some(Arc::new(5_u8)));
        executor.block_on(async {
            assert_eq!((number(), current_token().is_some()), (Some(1), true));
            let inner = numbered(2).install();
            let task = bare().spawn_local(async {
                let before = (number(), current_token().is_some());
                yield_now().await;
                (before, (number(), current_token().is_some()))
            });
            assert_eq!(task.await.unwrap(), ((None, false), (None, false)));
            assert_eq!(number(), Some(2), "it stays while the future waits");
            assert!(current_token().is_some());
            drop(inner);
            assert_eq!(number(), Some(1));
        });
        assert_eq!((number(), current_token().is_some()), (Some(1), true));
    });
}

task_local! {
    static LENT: u32;
}

#[test]
fn what_was_lent_to_who_calls_block_on_its_future_sees_and_no_task() {
    on_each(|executor| {
        LENT.sync_scope(1, || {
            executor.block_on(async {
                let inside = LENT.scope(2, async {
                    let task = spawn_local(async { LENT.try_get().is_ok() });
                    (LENT.get(), task.await.unwrap())
                });
                assert_eq!(inside.await, (2, false));
                assert_eq!(LENT.get(), 1);
                let task = spawn_local(async {
                    yield_now().await;
                    LENT.try_get().is_ok()
                });
                assert!(!task.await.unwrap());
                assert_eq!(LENT.get(), 1);
            });
            assert_eq!(LENT.get(), 1);
        });
    });
}

#[test]
fn a_job_that_an_abort_drops_sees_nothing_of_what_was_lent_to_who_aborts() {
    struct Sees(mpsc::Sender<bool>);
    impl Drop for Sees {
        fn drop(&mut self) {
            let _ = self.0.send(LENT.try_get().is_ok());
        }
    }
    let executor = Executor::builder().workers(1).blocking_threads(1).build();
    let executor = executor.expect("an executor");
    let (tell, told) = mpsc::channel();
    executor.block_on(async {
        let (go, gone) = mpsc::channel::<()>();
        let first = spawn_blocking(move || assert!(gone.recv().is_err()));
        let sees = Sees(tell);
        let queued = spawn_blocking(move || drop(sees));
        LENT.sync_scope(1, || queued.abort());
        drop(go);
        first.await.expect("no panic");
    });
    assert_eq!(told.recv(), Ok(false));
}

#[test]
fn the_future_of_a_block_on_is_dropped_among_them_also_when_it_panics() {
    struct Looks(mpsc::Sender<(Option<u32>, bool)>);
    impl Drop for Looks {
        fn drop(&mut self) {
            let seen = (number(), current_token().is_some());
            self.0.send(seen).expect("the test looks");
        }
    }
    on_each(|executor| {
        let _values = numbered(1).install();
        let _token = install_token(Some(Arc::new(5_u8)));
        for panics in [false, true] {
            let (tell, told) = mpsc::channel();
            let looks = Looks(tell);
            let ended = catch_unwind(AssertUnwindSafe(|| {
                executor.block_on(poll_fn(move |_| {
                    let _moved = &looks;
                    assert!(!panics, "in the middle");
                    std::task::Poll::Ready(())
                }));
            }));
            assert_eq!(ended.is_err(), panics);
            assert_eq!(told.recv(), Ok((Some(1), true)));
            assert_eq!((number(), current_token().is_some()), (Some(1), true));
        }
    });
}

#[test]
fn a_task_that_panics_leaves_nothing_behind() {
    on_each(|executor| {
        executor.block_on(async {
            let bad = (task::Builder::new().context(numbered(7))).spawn_local(async {
                assert_eq!(number(), Some(7));
                yield_now().await;
                let _inner = numbered(8).install();
                panic!("in the middle");
            });
            let good = bare().spawn_local(async {
                yield_now().await;
                (number(), current_task())
            });
            let id = good.id().get();
            assert!(bad.await.unwrap_err().is_panic());
            assert_eq!(good.await.unwrap(), (None, id));
        });
        assert_eq!((number(), current_task()), (None, 0));
    });
}

#[test]
fn each_panic_is_the_end_of_the_task_that_had_it() {
    on_each(|executor| {
        let message = |error: wakeline_executor::JoinError| error.to_string();
        let handle = executor.handle();
        let nested = executor.handle().spawn_blocking(move || {
            let inner = Executor::builder().workers(1).build();
            let inner = inner.expect("an executor");
            let first = inner.block_on(async {
                let eager = spawn_eager(async { panic!("eager") });
                let queued = spawn_local(async { panic!("queued") });
                (eager.await.unwrap_err(), queued.await.unwrap_err())
            });
            let root = catch_unwind(AssertUnwindSafe(|| {
                handle.block_on(async { panic!("root") });
            }));
            assert!(root.is_err());
            assert!(message(first.0).contains("eager"));
            assert!(message(first.1).contains("queued"));
            panic!("job");
        });
        let error = executor.block_on(nested).unwrap_err();
        assert!(message(error).contains("job"));
    });
}

/// Tells what surrounds each turn of it, and when a thread comes and goes.
struct Looks {
    park: ParkDriver,
    tell: mpsc::Sender<(u64, Option<u32>, bool)>,
}

impl Looks {
    fn look(&self) {
        let seen = (current_task(), number(), current_token().is_some());
        // The test may have seen enough.
        let _ = self.tell.send(seen);
    }
}

impl Driver for Looks {
    fn turn(&mut self, limit: Option<Duration>) -> io::Result<()> {
        self.look();
        self.park.turn(limit)
    }

    fn enter(&mut self) {
        self.look();
    }

    fn leave(&mut self) {
        self.look();
    }

    fn interrupt(&self) -> Arc<dyn Interrupt> {
        self.park.interrupt()
    }
}

#[test]
fn a_turn_of_the_driver_is_inside_of_nothing() {
    let (tell, told) = mpsc::channel();
    let tell = Mutex::new(tell);
    let builder = Executor::builder().workers(2).root_driver(move || {
        let tell = tell.lock().expect("no panic").clone();
        let park = ParkDriver::new();
        Ok(Box::new(Looks { park, tell }))
    });
    let looked_at = builder.build().expect("an executor");
    let outer = Executor::builder().workers(1).build();
    let outer = outer.expect("an executor");
    let _values = numbered(1).install();
    let handle = looked_at.handle();
    // Inside of a blocking job, which is a task and inherits the values.
    let job = outer.handle().spawn_blocking(move || {
        assert!(current_task() != 0 && number() == Some(1));
        let _token = install_token(Some(Arc::new(5_u8)));
        handle.block_on(async {
            yield_now().await;
            let task = spawn_local(async { number() });
            assert_eq!(task.await.unwrap(), Some(1));
        });
        assert!(current_task() != 0 && number() == Some(1));
    });
    outer.block_on(job).expect("no panic");
    drop(looked_at);
    let turns: Vec<_> = told.iter().collect();
    assert!(turns.len() > 2, "there is a turn: {turns:?}");
    assert!(
        turns.iter().all(|turn| *turn == (0, None, false)),
        "{turns:?}"
    );
}

#[test]
fn what_another_thread_has_left_to_end_here_is_dropped_under_no_token() {
    struct Tells(mpsc::Sender<bool>);
    impl Drop for Tells {
        fn drop(&mut self) {
            let _ = self.0.send(current_token().is_some());
        }
    }
    let (tell, told) = mpsc::channel();
    let ends = Executor::builder().workers(1).build();
    let ends = ends.expect("an executor");
    let waits = Tells(tell);
    // Binds it to this thread, with a task that nobody else may drop.
    ends.block_on(async move {
        drop(spawn_local(async move {
            let _waits = waits;
            std::future::pending::<()>().await;
        }));
        yield_now().await;
    });
    let ender = std::thread::spawn(move || ends.shutdown(Duration::ZERO));
    ender.join().expect("no panic");
    let other = Executor::builder().workers(1).build();
    let other = other.expect("an executor");
    let _token = install_token(Some(Arc::new(5_u8)));
    other.block_on(async {});
    assert_eq!(told.recv(), Ok(false));
    assert!(current_token().is_some());
}

#[test]
fn a_thread_leaves_the_runtimes_that_it_has_entered_in_any_order() {
    let one = Executor::builder().workers(1).build();
    let two = Executor::builder().workers(1).build();
    let (one, two) = (one.expect("an executor"), two.expect("an executor"));
    let first = one.handle().enter();
    let second = two.handle().enter();
    drop(first);
    let task = spawn(async { 7 });
    assert_eq!(two.handle().tasks().len(), 1, "it is in the other one yet");
    let third = one.handle().enter();
    drop(second);
    drop(spawn(async {}));
    assert_eq!(one.handle().tasks().len(), 1);
    drop(third);
    assert!(Handle::try_current().is_none());
    assert_eq!(two.block_on(task).expect("no panic"), 7);
}
