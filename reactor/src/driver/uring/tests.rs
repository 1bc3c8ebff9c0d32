//! Completions that a kernel gives rarely, or never: handed in by the test.

use super::*;
use crate::driver::ring::Completion;
use crate::metrics::Counts;
use crate::op;
use crate::slots::Kind;
use crate::source::Source;
use crate::waiters::Who;
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixStream;
use std::task::{Context, Poll, Waker};

mod ops;

struct Bench {
    home: Arc<Home>,
    uring: Uring,
    harvest: Harvest,
    counts: Counts,
}

impl Bench {
    /// `None` on a machine without rings.
    fn new() -> Option<Bench> {
        let home = Home::new().unwrap();
        let uring = Uring::new(8, None, &home).ok()?;
        Some(Bench {
            home,
            uring,
            harvest: Harvest::default(),
            counts: Counts::default(),
        })
    }

    fn complete(&mut self, data: u64, result: i32, more: bool) {
        let notification = false;
        let done = Completion {
            data,
            result,
            more,
            notification,
        };
        self.uring.complete(done, &mut self.harvest, &self.counts);
    }

    /// Arms `source` as if the kernel had the watch; it never hears of it.
    fn watch(&mut self, source: &Arc<Shared>, direction: Direction) -> Key {
        let mut made = Key::NONE;
        let armed = source.state.arm(direction, |_| {
            made = self.uring.arm(source, direction);
            let home = Arc::clone(&self.home);
            Ok((crate::source::Armed { home, key: made }, false))
        });
        armed.unwrap();
        self.uring.watches.clear();
        self.uring.slots.get_mut(made).unwrap().stage = Stage::InKernel;
        made
    }

    /// The same for an operation.
    fn start(&mut self, op: &Arc<dyn AnyOp>) -> Key {
        let key = self.uring.submit(op);
        self.uring.ops.clear();
        self.uring.watches.clear();
        let slot = self.uring.slots.get_mut(key).unwrap();
        slot.stage = Stage::InKernel;
        let _request = slot.entry(key, self.home.eventfd.as_raw_fd());
        self.uring.ops_in_kernel += usize::from(slot.counts());
        key
    }

    /// Empties the slots that the kernel never had, so that the drop is content.
    fn end(mut self) {
        self.uring.leak(&mut self.harvest);
    }
}

fn source() -> (Arc<Shared>, UnixStream) {
    let (here, there) = UnixStream::pair().unwrap();
    (Arc::new(Shared::new(OwnedFd::from(here))), there)
}

fn is_armed(source: &Shared, direction: Direction) -> bool {
    let mut who = Who::Slot;
    let wait = source.state.wait(direction, &mut who, Waker::noop());
    source.state.unlist(direction, who, || false);
    wait != crate::state::Wait::NotArmed
}

#[test]
fn a_stale_completion_is_counted_and_ignored() {
    let Some(mut bench) = Bench::new() else {
        return;
    };
    let (first, _other) = source();
    let old = bench.watch(&first, Direction::Read);
    bench.complete(old.pack(Kind::Source), libc::POLLIN.into(), false);
    let (second, _other) = source();
    let new = bench.watch(&second, Direction::Read);
    // The slot is used again, by another source.
    let unknown = [
        old.pack(Kind::Source),
        new.pack(Kind::Op),
        old.pack(Kind::Op) | 0xffff,
        u64::MAX,
        0,
    ];
    for data in unknown {
        bench.complete(data, libc::POLLIN.into(), false);
    }
    assert_eq!(bench.counts.stale.get(), unknown.len() as u64);
    assert!(!second.state.readiness(Direction::Read).look().is_ready());
    assert!(is_armed(&second, Direction::Read));
    bench.end();
}

#[test]
fn a_completion_for_a_staged_slot_is_stale() {
    let Some(mut bench) = Bench::new() else {
        return;
    };
    let (source, _other) = source();
    let key = bench.uring.arm(&source, Direction::Read);
    bench.complete(key.pack(Kind::Source), libc::POLLIN.into(), true);
    assert_eq!(bench.counts.stale.get(), 1);
    bench.uring.release(key, &mut bench.harvest);
    assert_eq!(bench.uring.slots.len(), 0, "the kernel never knew it");
    bench.end();
}

#[test]
fn a_watch_that_the_kernel_ends_is_armed_again_when_needed() {
    let Some(mut bench) = Bench::new() else {
        return;
    };
    let (source, _other) = source();
    let key = bench.watch(&source, Direction::Read);
    let mut who = Who::Future(None);
    let _ = source.state.wait(Direction::Read, &mut who, Waker::noop());
    // No room for another completion: the last event, without F_MORE.
    bench.complete(key.pack(Kind::Source), libc::POLLIN.into(), false);
    assert_eq!(bench.harvest.wakers.len(), 1);
    assert!(source.state.readiness(Direction::Read).look().is_ready());
    let readiness = source.state.readiness(Direction::Read);
    readiness.clear(readiness.look());
    assert!(!is_armed(&source, Direction::Read));
    bench.end();
}

#[test]
fn a_watch_that_fails_tells_its_waiters_why() {
    let Some(mut bench) = Bench::new() else {
        return;
    };
    for (errno, told) in [(libc::ENOMEM, true), (libc::ECANCELED, false)] {
        let (source, _other) = source();
        let key = bench.watch(&source, Direction::Read);
        let mut who = Who::Future(None);
        let _ = source.state.wait(Direction::Read, &mut who, Waker::noop());
        bench.complete(key.pack(Kind::Source), -errno, false);
        assert_eq!(bench.harvest.wakers.drain(..).count(), 1);
        let error = source.state.take_error(Direction::Read);
        let expected = told.then_some(errno);
        assert_eq!(error.and_then(|error| error.raw_os_error()), expected);
    }
    bench.end();
}

#[test]
fn a_watch_that_fails_is_not_told_as_the_error_of_a_read() {
    let Some(mut bench) = Bench::new() else {
        return;
    };
    let (here, _there) = UnixStream::pair().unwrap();
    here.set_nonblocking(true).unwrap();
    let source = Source::new(here.into());
    let key = bench.watch(source.shared(), Direction::Read);
    let location = std::panic::Location::caller();
    let mut wait = source.ready(Direction::Read, wakeline_context::Kind::Read, location);
    let mut poll = || {
        let mut cx = Context::from_waker(Waker::noop());
        std::pin::Pin::new(&mut wait).poll(&mut cx)
    };
    assert!(poll().is_pending());
    bench.complete(key.pack(Kind::Source), -libc::ENOMEM, false);
    let Poll::Ready(Err(error)) = poll() else {
        panic!("it is told")
    };
    let text = error.to_string();
    assert!(text.starts_with("watch a descriptor: Cannot"), "{text}");
    bench.harvest.finish();
    bench.end();
}

#[test]
fn nothing_is_delivered_after_a_release() {
    let Some(mut bench) = Bench::new() else {
        return;
    };
    let (source, _other) = source();
    let key = bench.watch(&source, Direction::Read);
    bench.uring.release(key, &mut bench.harvest);
    bench.uring.release(key, &mut bench.harvest);
    assert_eq!(bench.uring.cancels.len(), 1, "asked once");
    bench.complete(key.pack(Kind::Source), libc::POLLIN.into(), true);
    assert!(!source.state.readiness(Direction::Read).look().is_ready());
    assert_eq!(Arc::strong_count(&source), 2, "the kernel has it still");
    bench.complete(key.pack(Kind::Source), -libc::ECANCELED, false);
    bench.harvest.finish();
    assert_eq!(Arc::strong_count(&source), 1);
    bench.end();
}

#[test]
fn a_cancel_for_a_slot_that_ended_meanwhile_is_not_sent() {
    let Some(mut bench) = Bench::new() else {
        return;
    };
    let (source, _other) = source();
    let key = bench.watch(&source, Direction::Read);
    bench.uring.release(key, &mut bench.harvest);
    bench.complete(key.pack(Kind::Source), libc::POLLHUP.into(), false);
    assert!(bench.uring.flush(&bench.counts).unwrap());
    assert!(bench.uring.cancels.is_empty());
    bench.uring.drain(0, &mut bench.harvest, &bench.counts);
    bench.end();
}

/// The kernel says so once, perhaps outside of a turn.
#[test]
fn that_completions_were_lost_is_told_by_the_next_turn() {
    let Some(mut bench) = Bench::new() else {
        return;
    };
    assert!(bench.uring.flush(&bench.counts).unwrap());
    let failed = |errno| Err(io::Error::from_raw_os_error(errno));
    assert!(!bench.uring.goes_on(&failed(libc::EPERM)));
    assert!(
        bench.uring.flush(&bench.counts).is_ok(),
        "an enter says it again"
    );
    assert!(!bench.uring.goes_on(&failed(libc::EBADR)));
    for _ in 0..2 {
        let error = bench.uring.flush(&bench.counts).unwrap_err();
        assert_eq!(error.raw_os_error(), Some(libc::EBADR));
    }
    bench.end();
}
