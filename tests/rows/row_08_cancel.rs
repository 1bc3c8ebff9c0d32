//! Ending a task from outside: when, where, and why.

use std::future::{Future, pending, poll_fn};
use std::panic::Location;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering::SeqCst};
use std::sync::{Arc, Mutex, mpsc};
use std::task::Poll;
use std::thread::{self, ThreadId};
use std::time::Duration;

use wakeline::sync::oneshot;
use wakeline::time::sleep;
use wakeline::{AbortHandle, spawn, spawn_local, task, yield_now};
use wakeline_context::{Cause, Reason};

use crate::support::for_each_backend;
use crate::{on_every_runtime, with_every_runtime};

/// Tells, when it is dropped, on which thread and for which reason.
struct Witness(mpsc::Sender<(ThreadId, Option<Reason>)>);

impl Drop for Witness {
    fn drop(&mut self) {
        let reason = task::cancel_node().and_then(|node| node.reason());
        let _ = self.0.send((thread::current().id(), reason));
    }
}

async fn for_ever(witness: Witness) {
    let _witness = witness;
    pending().await
}

#[test]
fn a_finished_task_keeps_its_value() {
    on_every_runtime(|| async {
        let task = spawn(async { 42 });
        while !task.is_finished() {
            yield_now().await;
        }
        task.abort();
        task.cancel("too late");
        assert_eq!(task.await.unwrap(), 42);
    });
}

#[test]
fn before_its_first_poll_a_task_only_drops_its_captures() {
    for_each_backend(|backend| {
        backend.runtime(1).block_on(async {
            let (tell, told) = mpsc::channel();
            let witness = Witness(tell);
            let task = spawn(async move {
                let _witness = witness;
                unreachable!("the body must not run");
            });
            task.abort();
            assert!(task.await.expect_err("aborted").is_cancelled());
            let (_, reason) = told.try_recv().expect("dropped before the handle resolves");
            assert_eq!(reason.expect("it sees why").cause(), Cause::Aborted);
        });
    });
}

#[test]
fn a_sleeping_task_is_woken_and_gone_before_its_handle_resolves() {
    on_every_runtime(|| async {
        let (tell, told) = mpsc::channel();
        let (started, is_started) = oneshot::channel();
        let witness = Witness(tell);
        let task = spawn(async move {
            let _witness = witness;
            let _ = started.send(());
            sleep(Duration::from_secs(3600)).await;
        });
        is_started.await.expect("it runs");
        task.abort();
        assert!(task.await.expect_err("aborted").is_cancelled());
        assert!(told.try_recv().is_ok(), "the drop came first");
    });
}

#[test]
fn a_local_task_is_dropped_by_its_own_thread_whoever_aborts() {
    with_every_runtime(|runtime| {
        let (tell, told) = mpsc::channel();
        let here = thread::current().id();
        runtime.block_on(async {
            let not_send = std::rc::Rc::new(());
            let witness = Witness(tell);
            let task = spawn_local(async move {
                let _not_send = not_send;
                for_ever(witness).await
            });
            yield_now().await;
            let abort = task.abort_handle();
            let aborter = thread::spawn(move || abort.abort());
            assert!(task.await.expect_err("aborted").is_cancelled());
            aborter.join().expect("no panic");
        });
        assert_eq!(told.try_recv().expect("dropped").0, here);
    });
}

#[test]
fn an_abort_works_though_the_handle_is_dropped_right_after() {
    on_every_runtime(|| async {
        let (gone, is_gone) = oneshot::channel::<()>();
        let task = spawn(async move {
            let _gone = gone;
            pending::<()>().await
        });
        yield_now().await;
        task.abort();
        drop(task);
        assert!(is_gone.await.is_err());
    });
}

#[test]
fn many_threads_may_abort_and_the_first_reason_stays() {
    with_every_runtime(|runtime| {
        for _ in 0..20 {
            let (tell, told) = mpsc::channel();
            let task = runtime.spawn(for_ever(Witness(tell)));
            let aborters: Vec<_> = (0..4)
                .map(|nth| {
                    let abort = task.abort_handle();
                    thread::spawn(move || abort.cancel(format!("number {nth}")))
                })
                .collect();
            let error = runtime.block_on(task).expect_err("cancelled");
            for aborter in aborters {
                aborter.join().expect("no panic");
            }
            let joined = error.reason().expect("cancelled").clone();
            let (_, seen) = told.recv().expect("dropped once");
            assert_eq!(Some(joined), seen, "the task and its joiner see the same");
            assert!(told.recv().is_err(), "dropped twice");
        }
    });
}

#[test]
fn a_task_that_aborts_itself_ends_at_its_next_suspension_if_there_is_one() {
    /// Its own abort handle, once it is there.
    async fn own(handle: oneshot::Receiver<AbortHandle>) -> AbortHandle {
        handle.await.expect("sent")
    }
    on_every_runtime(|| async {
        let (give, handle) = oneshot::channel();
        let after = Arc::new(AtomicBool::new(false));
        let reached = Arc::clone(&after);
        let suspends = spawn(async move {
            own(handle).await.abort();
            yield_now().await;
            reached.store(true, SeqCst);
        });
        give.send(suspends.abort_handle()).expect("it waits");
        assert!(suspends.await.expect_err("aborted").is_cancelled());
        assert!(!after.load(SeqCst), "it went on after a suspension");

        let (give, handle) = oneshot::channel();
        let completes = spawn(async move {
            own(handle).await.abort();
            "completion wins"
        });
        give.send(completes.abort_handle()).expect("it waits");
        assert_eq!(completes.await.unwrap(), "completion wins");
    });
}

#[test]
fn the_reason_is_in_the_error_with_words_and_line() {
    on_every_runtime(|| async {
        let task = task::Builder::new().name("upload").spawn(pending::<()>());
        let (id, line) = (task.id(), line!() + 1);
        task.cancel("the client went away");
        let error = task.await.expect_err("cancelled");
        let reason = error.reason().expect("cancelled");
        assert_eq!(
            (reason.cause(), reason.location().line()),
            (Cause::Requested, line)
        );
        let place = format!("{}:{line}:", file!());
        let expected =
            format!("task {id} \"upload\" was cancelled: the client went away (at {place}");
        assert!(error.to_string().starts_with(&expected), "{error}");
    });
}

#[test]
fn each_way_to_end_a_task_has_its_cause() {
    fn ends(by: impl FnOnce(&wakeline::JoinHandle<()>)) -> impl Future<Output = Reason> {
        let task = spawn(pending::<()>());
        by(&task);
        async move {
            task.await
                .expect_err("ended")
                .reason()
                .expect("cancelled")
                .clone()
        }
    }
    on_every_runtime(|| async {
        let here = Location::caller().file();
        let aborted = ends(|task| task.abort()).await;
        assert_eq!(
            (aborted.cause(), aborted.location().file()),
            (Cause::Aborted, here)
        );
        let aborted = ends(|task| task.abort_handle().abort()).await;
        assert_eq!(
            (aborted.cause(), aborted.location().file()),
            (Cause::Aborted, here)
        );
        let custom = Reason::of(Cause::Deadline);
        let given = ends(|task| task.cancel(custom.clone())).await;
        assert_eq!(given, custom);
        let (tell, told) = mpsc::channel();
        drop(spawn(for_ever(Witness(tell))).abort_on_drop());
        while told
            .try_recv()
            .map(|(_, reason)| reason.expect("it sees why").cause())
            != Ok(Cause::Dropped)
        {
            yield_now().await;
        }
    });
}

#[test]
fn what_hangs_below_the_tasks_node_is_told_first() {
    on_every_runtime(|| async {
        let (give, below) = oneshot::channel();
        let task = spawn(async move {
            let node = task::cancel_node().expect("inside a task");
            drop(give.send(node.child()));
            pending::<()>().await
        });
        let below = below.await.expect("sent");
        assert!(!below.is_cancelled());
        task.cancel("all of it");
        assert!(below.is_cancelled(), "before `cancel` returns");
        assert_eq!(below.reason().expect("cancelled").text(), "all of it");
        drop(task);
        assert_eq!(below.cancelled().await.text(), "all of it");
    });
}

#[test]
fn a_tasks_node_is_its_own_and_that_of_a_block_on_too() {
    with_every_runtime(|runtime| {
        assert!(task::cancel_node().is_none(), "outside");
        runtime.block_on(async {
            let root = task::cancel_node().expect("inside");
            assert!(
                root.ptr_eq(&task::cancel_node().expect("inside")),
                "made once"
            );
            let theirs = spawn(async { task::cancel_node().expect("inside") });
            let theirs = theirs.await.unwrap();
            assert!(!theirs.ptr_eq(&root));
            root.cancel("the main future alone".into());
            assert!(!theirs.is_cancelled());
            assert!(task::is_cancelled());
            assert!(!spawn(async { task::is_cancelled() }).await.unwrap());
        });
        assert!(!task::is_cancelled(), "outside");
    });
}

#[test]
fn cancelling_the_node_alone_is_a_request_and_drops_nothing() {
    on_every_runtime(|| async {
        let (give, node) = oneshot::channel();
        let task = spawn(async move {
            let node = task::cancel_node().expect("inside a task");
            drop(give.send(node.clone()));
            let reason = node.cancelled().await;
            yield_now().await;
            reason.text().to_owned()
        });
        node.await.expect("sent").cancel("please stop".into());
        assert_eq!(task.await.unwrap(), "please stop");
    });
}

#[test]
fn an_abort_may_come_from_the_tasks_own_waker_and_destructor() {
    struct AbortsInDrop(Arc<Mutex<Option<AbortHandle>>>);
    impl Drop for AbortsInDrop {
        fn drop(&mut self) {
            let own = self.0.lock().unwrap().take();
            own.expect("set before").abort();
        }
    }
    on_every_runtime(|| async {
        let own = Arc::new(Mutex::new(None));
        let bomb = AbortsInDrop(Arc::clone(&own));
        let task = spawn(async move {
            let _bomb = bomb;
            pending::<()>().await
        });
        *own.lock().unwrap() = Some(task.abort_handle());
        yield_now().await;
        task.cancel("outside");
        let error = task.await.expect_err("cancelled");
        assert_eq!(error.reason().expect("cancelled").text(), "outside");
    });
}

#[test]
fn an_abort_races_with_completion_and_one_of_them_wins_cleanly() {
    with_every_runtime(|runtime| {
        let completed = AtomicUsize::new(0);
        for _ in 0..200 {
            let (tell, told) = mpsc::channel();
            let witness = Witness(tell);
            let task = runtime.spawn(async move {
                let _witness = witness;
                yield_now().await;
                "value"
            });
            let abort = task.abort_handle();
            let aborter = thread::spawn(move || abort.abort());
            match runtime.block_on(task) {
                Ok(value) => {
                    assert_eq!(value, "value");
                    completed.fetch_add(1, SeqCst);
                }
                Err(error) => assert_eq!(error.reason().expect("no panic").cause(), Cause::Aborted),
            }
            assert!(
                told.try_recv().is_ok(),
                "dropped before the handle resolved"
            );
            aborter.join().expect("no panic");
        }
    });
}

#[test]
fn an_abort_during_a_poll_waits_for_its_end() {
    with_every_runtime(|runtime| {
        let (in_poll, is_in_poll) = mpsc::channel();
        let (aborted, is_aborted) = mpsc::channel::<()>();
        let polls = Arc::new(AtomicUsize::new(0));
        let count = Arc::clone(&polls);
        let is_aborted = Mutex::new(is_aborted);
        let task = runtime.spawn(poll_fn(move |cx| {
            count.fetch_add(1, SeqCst);
            in_poll.send(()).unwrap();
            is_aborted.lock().unwrap().recv().unwrap();
            cx.waker().wake_by_ref();
            Poll::<()>::Pending
        }));
        let abort = task.abort_handle();
        let aborter = thread::spawn(move || {
            is_in_poll.recv().unwrap();
            abort.cancel("in the midst");
            assert!(!abort.is_finished(), "its poll has not ended");
            aborted.send(()).unwrap();
        });
        let error = runtime.block_on(task).expect_err("cancelled");
        assert_eq!(error.reason().expect("cancelled").text(), "in the midst");
        assert_eq!(polls.load(SeqCst), 1, "it was polled again");
        aborter.join().expect("no panic");
    });
}
