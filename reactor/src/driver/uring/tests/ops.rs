//! The same of operations.

use super::*;
use std::os::fd::FromRawFd;

fn read_op() -> (
    op::InFlight<op::Read>,
    Arc<dyn AnyOp>,
    std::sync::Weak<dyn AnyOp>,
) {
    let file = std::fs::File::open("/proc/self/exe").unwrap();
    let fd = Arc::new(op::Descriptor::from(file));
    let buf = Vec::with_capacity(16);
    let (future, op) = op::InFlight::detached(op::Read { fd, buf, offset: 0 });
    let weak = Arc::downgrade(&op);
    (future, op, weak)
}

#[test]
fn what_the_kernel_did_not_let_go_of_is_leaked() {
    let Some(mut bench) = Bench::new() else {
        return;
    };
    let (mut future, op, weak) = read_op();
    let key = bench.start(&op);
    drop(op);
    let left = bench.uring.drain(0, &mut bench.harvest, &bench.counts);
    assert_eq!(left, 1, "a kernel that never heard of it cannot end it");
    bench.uring.leak(&mut bench.harvest);
    bench.harvest.finish();
    let mut cx = Context::from_waker(Waker::noop());
    let Poll::Ready((result, buf)) = std::pin::Pin::new(&mut future).poll(&mut cx) else {
        panic!("its future is told");
    };
    assert!(result.unwrap_err().to_string().contains("did not let go"));
    assert_eq!(buf.capacity(), 0, "the buffer stays with the kernel");
    drop(future);
    assert!(
        weak.upgrade().is_some(),
        "and so does the operation, for ever"
    );
    assert!(bench.uring.slots.get(key).is_none());
}

#[test]
fn an_interrupted_operation_that_was_cancelled_says_cancelled() {
    let Some(mut bench) = Bench::new() else {
        return;
    };
    const ERESTARTSYS: i32 = 512;
    for errno in [libc::ECANCELED, libc::EINTR, libc::EAGAIN, ERESTARTSYS] {
        let (mut future, op, _) = read_op();
        let key = bench.start(&op);
        bench.uring.cancel(key, &mut bench.harvest);
        bench.complete(key.pack(Kind::Op), -errno, false);
        let mut cx = Context::from_waker(Waker::noop());
        let Poll::Ready((result, buf)) = std::pin::Pin::new(&mut future).poll(&mut cx) else {
            panic!("it has ended");
        };
        assert_eq!(result.unwrap_err().raw_os_error(), Some(libc::ECANCELED));
        assert_eq!(buf.capacity(), 16);
    }
    assert_eq!(bench.uring.held(), (0, 0));
    bench.uring.cancels.clear();
    bench.end();
}

/// A file is always ready for a poll: who waits for that waits in a circle.
#[test]
fn a_file_that_says_try_again_is_not_polled() {
    let Some(mut bench) = Bench::new() else {
        return;
    };
    let (mut future, op, _) = read_op();
    let key = bench.start(&op);
    bench.complete(key.pack(Kind::Op), -libc::EAGAIN, false);
    assert!(bench.uring.ops.is_empty(), "nothing is to be sent again");
    let mut cx = Context::from_waker(Waker::noop());
    let Poll::Ready((result, _)) = std::pin::Pin::new(&mut future).poll(&mut cx) else {
        panic!("it has ended");
    };
    assert_eq!(result.unwrap_err().raw_os_error(), Some(libc::EAGAIN));
    bench.end();
}

#[test]
fn a_result_that_was_too_late_to_cancel_is_delivered() {
    let Some(mut bench) = Bench::new() else {
        return;
    };
    let (mut future, op, _) = read_op();
    let key = bench.start(&op);
    bench.uring.cancel(key, &mut bench.harvest);
    bench.complete(key.pack(Kind::Op), 16, false);
    let mut cx = Context::from_waker(Waker::noop());
    let Poll::Ready((result, buf)) = std::pin::Pin::new(&mut future).poll(&mut cx) else {
        panic!("it has ended");
    };
    assert_eq!((result.unwrap(), buf.len()), (16, 16));
    bench.end();
}

#[test]
fn operations_beyond_the_completion_ring_wait() {
    let Some(mut bench) = Bench::new() else {
        return;
    };
    // They are over at once, but until they are reaped there is no room.
    let mut futures = Vec::new();
    for _ in 0..bench.uring.ops_max + 5 {
        let (future, op, _) = read_op();
        bench.uring.submit(&op);
        futures.push(future);
    }
    assert!(bench.uring.flush(&bench.counts).unwrap());
    assert_eq!(bench.uring.ops_in_kernel, bench.uring.ops_max);
    assert_eq!(bench.uring.ops.len(), 5);
    let deadline = crate::clock::now_nanos() + 10_000_000_000;
    assert_eq!(
        bench
            .uring
            .drain(deadline, &mut bench.harvest, &bench.counts),
        0
    );
}

#[allow(unsafe_code, reason = "one fcntl(2) of integers")]
fn is_open(raw: RawFd) -> bool {
    // SAFETY: takes integers.
    unsafe { libc::fcntl(raw, libc::F_GETFD) != -1 }
}

/// Instead of what says it was cancelled; as if the kernel had the question.
fn assert_asks_for_a_thread(bench: &mut Bench, key: Key) {
    assert_eq!(bench.uring.ops.pop_front(), Some(key));
    bench.uring.cancel(key, &mut bench.harvest);
    let slot = bench.uring.slots.get_mut(key).unwrap();
    assert!(matches!(
        slot.what,
        What::Op {
            request: Request::Thread,
            ..
        }
    ));
    slot.stage = Stage::InKernel;
    bench.uring.ops_in_kernel += 1;
}

#[test]
fn what_the_kernel_had_no_thread_for_was_not_cancelled() {
    let Some(mut bench) = Bench::new() else {
        return;
    };
    let (mut future, op, _) = read_op();
    let key = bench.start(&op);
    bench.complete(key.pack(Kind::Op), -libc::ECANCELED, false);
    assert_asks_for_a_thread(&mut bench, key);
    assert!(bench.uring.cancels.is_empty(), "the question is answered");
    bench.complete(key.pack(Kind::Op), -libc::ECANCELED, false);
    assert!(op.must_block(), "the ring is not asked again");
    assert_eq!(bench.uring.held(), (0, 0));
    let mut cx = Context::from_waker(Waker::noop());
    let Poll::Ready((result, _)) = std::pin::Pin::new(&mut future).poll(&mut cx) else {
        panic!("it is in memory, or there is no reactor here");
    };
    assert!(result.is_ok() || !op::was_stopped(&result.unwrap_err()));
    bench.end();
}

/// It has an answer, of a real thread, also while all goes back to who polls it.
#[test]
fn what_a_file_called_cancelled_is_not_begun_again() {
    let Some(mut bench) = Bench::new() else {
        return;
    };
    let (_reader, writer) = std::io::pipe().unwrap();
    let file = std::fs::File::open("/proc/self/exe").unwrap();
    for fd in [writer.into(), file.into()] {
        let (fd, buf, offset) = (Arc::new(fd), vec![1], 0);
        let (mut future, op) = op::InFlight::detached(op::Write { fd, buf, offset });
        let key = bench.start(&op);
        drop(op);
        bench.complete(key.pack(Kind::Op), -libc::ECANCELED, false);
        assert_eq!(bench.uring.held(), (0, 1), "there is a question");
        bench.uring.cancel(key, &mut bench.harvest);
        let deadline = crate::clock::now_nanos() + 10_000_000_000;
        let (harvest, counts) = (&mut bench.harvest, &bench.counts);
        bench.uring.give_back(deadline, harvest, counts);
        assert_eq!(bench.uring.held(), (0, 0));
        let mut cx = Context::from_waker(Waker::noop());
        let Poll::Ready((result, _)) = std::pin::Pin::new(&mut future).poll(&mut cx) else {
            panic!("it has ended");
        };
        assert_eq!(result.unwrap_err().raw_os_error(), Some(libc::ECANCELED));
    }
    bench.end();
}

#[test]
fn a_close_that_the_kernel_had_no_thread_for_is_done_all_the_same() {
    let Some(mut bench) = Bench::new() else {
        return;
    };
    let (here, mut there) = UnixStream::pair().unwrap();
    let (future, op) = op::InFlight::detached(op::Close::new(here.into()));
    let key = bench.start(&op);
    bench.complete(key.pack(Kind::Op), -libc::ECANCELED, false);
    assert_asks_for_a_thread(&mut bench, key);
    bench.complete(key.pack(Kind::Op), -libc::ECANCELED, false);
    assert_eq!(bench.uring.held(), (0, 0));
    assert!(op.must_block(), "the ring is not asked again");
    drop((future, op));
    bench.harvest.finish();
    assert_eq!(std::io::Read::read(&mut there, &mut [0]).unwrap(), 0);
    bench.end();
}

/// The kernel frees the number before it asks the file, whatever that says then.
#[test]
#[allow(unsafe_code, reason = "does what the kernel's close does")]
fn a_close_that_the_kernel_has_is_not_stopped_and_closes_once() {
    let Some(mut bench) = Bench::new() else {
        return;
    };
    for errno in [libc::EINTR, libc::EAGAIN, libc::ECANCELED, libc::EIO] {
        let (read, write) = std::io::pipe().unwrap();
        let raw = read.as_raw_fd();
        let (mut future, op) = op::InFlight::detached(op::Close::new(read.into()));
        let key = bench.start(&op);
        drop(op);
        // It is closed, and the number is another file's.
        // SAFETY: takes integers; what had the number is gone by this, as by a close.
        assert_eq!(unsafe { libc::dup2(write.as_raw_fd(), raw) }, raw);
        bench.uring.cancel(key, &mut bench.harvest);
        assert!(bench.uring.cancels.is_empty(), "it cannot be taken back");
        bench.complete(key.pack(Kind::Op), -errno, false);
        if errno == libc::ECANCELED {
            // Of the file, if there is a thread that may have done it.
            assert_asks_for_a_thread(&mut bench, key);
            bench.complete(key.pack(Kind::Op), 0, false);
        }
        let mut cx = Context::from_waker(Waker::noop());
        let Poll::Ready((result, ())) = std::pin::Pin::new(&mut future).poll(&mut cx) else {
            panic!("it has ended");
        };
        assert_eq!(result.unwrap_err().raw_os_error(), Some(errno));
        drop(future);
        bench.harvest.finish();
        assert!(is_open(raw), "of somebody else: {errno}");
        // SAFETY: it is the test's own, from above.
        drop(unsafe { OwnedFd::from_raw_fd(raw) });
    }
    bench.end();
}

#[test]
fn a_close_that_was_not_sent_after_all_closes_by_itself() {
    let Some(mut bench) = Bench::new() else {
        return;
    };
    let (here, mut there) = UnixStream::pair().unwrap();
    let (future, op) = op::InFlight::detached(op::Close::new(here.into()));
    let key = bench.start(&op);
    drop(op);
    bench.uring.ops_in_kernel -= 1;
    bench.uring.slots.get_mut(key).unwrap().withdraw();
    bench.uring.cancel(key, &mut bench.harvest);
    drop(future);
    bench.harvest.finish();
    assert_eq!(std::io::Read::read(&mut there, &mut [0]).unwrap(), 0);
    bench.end();
}

/// In a loop of timeouts around an operation, while the kernel has no room.
#[test]
fn what_was_withdrawn_before_there_was_room_leaves_no_key() {
    let Some(mut bench) = Bench::new() else {
        return;
    };
    let submit = |bench: &mut Bench| {
        let (future, op, _) = read_op();
        let key = bench.uring.submit(&op);
        (future, key)
    };
    let under_way: Vec<_> = (0..bench.uring.ops_max).map(|_| read_op()).collect();
    for (_, op, _) in &under_way {
        bench.start(op);
    }
    let kept: Vec<_> = (0..10).map(|_| submit(&mut bench)).collect();
    for _ in 0..10_000 {
        let (_future, key) = submit(&mut bench);
        bench.uring.cancel(key, &mut bench.harvest);
        bench.harvest.finish();
    }
    let listed = bench.uring.ops.len();
    assert!(listed < 200, "{listed} keys for 10 operations");
    let still = |(_, key): &_| bench.uring.ops.contains(key);
    assert!(kept.iter().all(still));
    for (_, key) in kept {
        bench.uring.cancel(key, &mut bench.harvest);
    }
    bench.harvest.finish();
    bench.end();
}
