use super::*;
use crate::op::kinds::sealed::Steps;
use io_uring::squeue::Entry;
#[cfg(not(loom))]
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

/// An operation without a kernel; counts how often it ran.
#[derive(Debug)]
struct Dummy {
    runs: Arc<AtomicUsize>,
    panics: bool,
}

impl Op for Dummy {}
impl Steps for Dummy {
    type Output = u32;
    type Back = ();

    fn entry(&mut self) -> Entry {
        unreachable!("there is no ring")
    }

    fn attempt(&mut self) -> Attempt {
        Attempt::Block
    }

    fn block(&mut self) -> io::Result<u32> {
        self.runs.fetch_add(1, Ordering::SeqCst);
        assert!(!self.panics, "a bad buffer");
        Ok(7)
    }

    fn finish(&mut self, result: io::Result<u32>) -> (io::Result<u32>, ()) {
        (result, ())
    }
}

impl Drop for Dummy {
    fn drop(&mut self) {
        assert!(!self.panics, "the end of a bad buffer");
    }
}

fn cell() -> (Arc<OpCell<Dummy>>, Arc<AtomicUsize>) {
    cell_that(false)
}

fn cell_that(panics: bool) -> (Arc<OpCell<Dummy>>, Arc<AtomicUsize>) {
    let runs = Arc::new(AtomicUsize::new(0));
    let op = Dummy {
        runs: Arc::clone(&runs),
        panics,
    };
    (Arc::new(OpCell::new(op)), runs)
}

#[cfg(not(loom))]
#[test]
fn an_abandoned_operation_tells_its_future_and_is_never_dropped() {
    let (cell, runs) = cell();
    let mut wakers = Vec::new();
    let mut cx = Context::from_waker(Waker::noop());
    assert!(cell.poll(&mut cx).is_pending());
    cell.abandon(&mut wakers);
    assert_eq!(wakers.len(), 1);
    let Poll::Ready((result, ())) = cell.poll(&mut cx) else {
        panic!("it is told")
    };
    assert!(result.unwrap_err().to_string().contains("did not let go"));
    drop(cell);
    assert_eq!(Arc::strong_count(&runs), 2, "what it owned is leaked");
}

#[cfg(not(loom))]
#[test]
fn an_interrupted_operation_goes_back_to_its_future_unless_it_is_to_be_cancelled() {
    let interrupted = || Err(io::ErrorKind::Interrupted.into());
    let mut cx = Context::from_waker(Waker::noop());
    let (cell, _) = cell();
    assert!(cell.poll(&mut cx).is_pending());
    let mut wakers = Vec::new();
    cell.complete(interrupted(), &mut wakers);
    assert_eq!(wakers.len(), 1, "who waits is to try again");
    // `Dummy` says that it would block: so a driver is to have it once more.
    assert!(cell.try_here());
    assert!(cell.poll(&mut cx).is_pending());
    cell.mark_cancelled();
    cell.complete(interrupted(), &mut wakers);
    let Poll::Ready((result, ())) = cell.poll(&mut cx) else {
        panic!("it is over")
    };
    assert_eq!(result.unwrap_err().raw_os_error(), Some(libc::ECANCELED));
}

/// A pool that takes nothing, for this reason.
#[cfg(not(loom))]
struct Refuses(io::ErrorKind);

#[cfg(not(loom))]
impl crate::Offload for Refuses {
    fn offload(&self, _: Box<dyn FnOnce() -> crate::LateWake + Send>) -> io::Result<()> {
        Err(io::Error::new(self.0, "none today"))
    }
}

/// An open that may have to wait for the end of a lease.
#[cfg(not(loom))]
fn emptying_open() -> Arc<OpCell<crate::op::OpenAt>> {
    Arc::new(OpCell::new(crate::op::OpenAt {
        dir: None,
        path: c"/".into(),
        flags: libc::O_WRONLY | libc::O_TRUNC,
        mode: 0,
    }))
}

/// Of an open, which at a `WouldBlock` of the kernel's goes to the pool: here that is the
/// pool's own word, and must not go in a circle.
#[cfg(not(loom))]
fn refused_open(kind: io::ErrorKind) -> io::Error {
    let cell = emptying_open();
    let pool = Arc::new(Refuses(kind)) as Arc<dyn crate::Offload>;
    Arc::clone(&cell).run_on(Some(&pool));
    let Poll::Ready((result, _)) = cell.poll(&mut Context::from_waker(Waker::noop())) else {
        panic!("it is over")
    };
    result.unwrap_err()
}

#[cfg(not(loom))]
#[test]
fn what_the_pool_says_is_told() {
    let no_thread = refused_open(io::ErrorKind::WouldBlock);
    assert_eq!(no_thread.to_string(), "none today");
    assert_eq!(no_thread.kind(), io::ErrorKind::WouldBlock);
    assert!(!crate::op::was_stopped(&no_thread), "the runtime goes on");
    let ended = refused_open(io::ErrorKind::Other);
    assert!(ended.to_string().contains("none today"), "{ended}");
    assert!(crate::op::was_stopped(&ended));
}

/// Foreign code may, in a buffer; and who waits must not wait for ever.
#[cfg(not(loom))]
#[test]
fn a_panic_on_a_pool_thread_is_that_of_who_waits() {
    struct Thread;
    impl crate::Offload for Thread {
        fn offload(&self, job: Box<dyn FnOnce() -> crate::LateWake + Send>) -> io::Result<()> {
            let ran = std::thread::spawn(|| drop(job())).join();
            ran.expect("the pool has its thread back");
            Ok(())
        }
    }

    let (cell, runs) = cell_that(true);
    let mut cx = Context::from_waker(Waker::noop());
    assert!(cell.poll(&mut cx).is_pending());
    let pool = Arc::new(Thread) as Arc<dyn crate::Offload>;
    Arc::clone(&cell).run_on(Some(&pool));
    let polled = catch_unwind(AssertUnwindSafe(|| cell.poll(&mut cx)));
    let panic = polled.expect_err("it is handed on");
    assert_eq!(panic.downcast_ref(), Some(&"a bad buffer"));
    assert_eq!(Arc::strong_count(&runs), 1, "what it owned is gone");
}

/// A lease's end is not waited for by who is to end, nor was it the kernel's word
/// that the open failed.
#[cfg(not(loom))]
#[test]
fn a_leased_open_that_is_to_be_cancelled_is_told_so() {
    let cell = emptying_open();
    cell.mark_cancelled();
    let leased = io::Error::from_raw_os_error(libc::EAGAIN);
    cell.complete(Err(leased), &mut Vec::new());
    let Poll::Ready((result, _)) = cell.poll(&mut Context::from_waker(Waker::noop())) else {
        panic!("it is over")
    };
    assert_eq!(result.unwrap_err().raw_os_error(), Some(libc::ECANCELED));
}

/// On the disk, and not in memory, as far as the file system has both.
#[cfg(not(loom))]
#[allow(unsafe_code, reason = "one posix_fadvise(2) of integers")]
fn cold_file() -> Arc<crate::op::Descriptor> {
    use std::io::Write;
    use std::os::fd::AsRawFd;
    let name = format!("wakeline-cold-{}", std::process::id());
    let path = std::env::temp_dir().join(name);
    let mut options = std::fs::File::options();
    let file = options.read(true).write(true).create(true).open(&path);
    let mut file = file.unwrap();
    std::fs::remove_file(&path).unwrap();
    file.write_all(&[7; 1 << 13]).unwrap();
    file.sync_all().unwrap();
    // SAFETY: takes integers.
    unsafe { libc::posix_fadvise(file.as_raw_fd(), 0, 0, libc::POSIX_FADV_DONTNEED) };
    Arc::new(file.into())
}

/// A file is always ready for a poll: who waits for that waits in a circle.
#[cfg(not(loom))]
#[test]
fn an_interrupted_read_of_a_file_is_sent_again_and_does_not_wait_for_readiness() {
    let read = crate::op::Read {
        fd: cold_file(),
        buf: Vec::with_capacity(8),
        offset: 4096,
    };
    let cell = Arc::new(OpCell::new(read));
    assert!(cell.is_held());
    assert_eq!(cell.direction(), None, "nobody watches it");
    cell.complete(Err(io::ErrorKind::Interrupted.into()), &mut Vec::new());
    if cell.try_here() {
        assert_eq!(cell.waits(), None, "a driver does it, and blocks");
    }
}

#[cfg(loom)]
mod models {
    use super::*;
    use loom::thread;
    use std::task::Wake;

    struct Count(AtomicUsize);

    impl Wake for Count {
        fn wake(self: Arc<Self>) {
            self.0.fetch_add(1, Ordering::SeqCst);
        }
    }

    /// A poll that races with the result takes it, or is woken for it.
    #[test]
    fn loom_a_poll_that_races_with_the_result_is_ready_or_woken() {
        loom::model(|| {
            let (cell, _) = cell();
            let driver = thread::spawn({
                let cell = Arc::clone(&cell);
                move || cell.complete_alone(Ok(7))
            });
            let count = Arc::new(Count(AtomicUsize::new(0)));
            let waker = Waker::from(Arc::clone(&count));
            let mut cx = Context::from_waker(&waker);
            let early = cell.poll(&mut cx);
            driver.join().unwrap();
            if early.is_pending() {
                assert_eq!(count.0.load(Ordering::SeqCst), 1);
                assert!(cell.poll(&mut cx).is_ready());
            }
        });
    }

    /// A cancel that races with the end of the wait is not lost on the way back.
    #[test]
    fn loom_a_cancel_that_races_with_the_wait_stops_the_operation() {
        loom::model(|| {
            let (cell, runs) = cell();
            *cell.state.lock() = held(
                Dummy {
                    runs: Arc::clone(&runs),
                    panics: false,
                },
                false,
                Some(Direction::Read),
            );
            let driver = thread::spawn({
                let cell = Arc::clone(&cell);
                move || cell.give_back(&mut Vec::new())
            });
            cell.mark_cancelled();
            driver.join().unwrap();
            assert!(!cell.try_here(), "no driver is to have it again");
            let mut cx = Context::from_waker(Waker::noop());
            let Poll::Ready((result, ())) = cell.poll(&mut cx) else {
                panic!("it was cancelled")
            };
            assert_eq!(result.unwrap_err().raw_os_error(), Some(libc::ECANCELED));
            assert_eq!(runs.load(Ordering::SeqCst), 0);
        });
    }

    /// A cancel that races with the pool's thread: it ran once, or was stopped.
    #[test]
    fn loom_a_cancel_that_races_with_the_pool_runs_once_or_never() {
        loom::model(|| {
            let (cell, runs) = cell();
            let pool = thread::spawn({
                let cell = Arc::clone(&cell);
                move || cell.run()
            });
            cell.mark_cancelled();
            pool.join().unwrap();
            let mut cx = Context::from_waker(Waker::noop());
            let Poll::Ready((result, ())) = cell.poll(&mut cx) else {
                panic!("it has ended")
            };
            assert_eq!(runs.load(Ordering::SeqCst), usize::from(result.is_ok()));
        });
    }
}
