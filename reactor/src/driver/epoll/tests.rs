//! Tries that come to what a kernel says rarely: an operation says it here.

use super::*;
use crate::config::{Config, DriverKind, Offload};
use crate::op::kinds::sealed::Steps;
use crate::op::{self, Op};
use crate::reactor::Reactor;
use io_uring::squeue::Entry;
use std::io::Write as _;
use std::os::fd::RawFd;
use std::pin::pin;
use std::task::{Context, Poll, Waker};
use wakeline_context::LateWake;

/// Runs a job where it is handed over.
struct AtOnce;

impl Offload for AtOnce {
    fn offload(&self, job: Box<dyn FnOnce() -> LateWake + Send>) -> io::Result<()> {
        drop(job());
        Ok(())
    }
}

/// Would wait at its first try, and then block: a signal, or somebody who has
/// changed the mode of the descriptor.
struct Changing {
    fd: OwnedFd,
    tried: bool,
}

impl Op for Changing {}
impl Steps for Changing {
    type Output = u32;
    type Back = ();

    fn entry(&mut self) -> Entry {
        unreachable!("there is no ring")
    }

    fn attempt(&mut self) -> Attempt {
        if std::mem::replace(&mut self.tried, true) {
            Attempt::Block
        } else {
            Attempt::Wait(Direction::Read)
        }
    }

    fn block(&mut self) -> io::Result<u32> {
        Ok(7)
    }

    fn raw_fd(&self) -> RawFd {
        self.fd.as_raw_fd()
    }

    fn duplicate_fd(&self) -> io::Result<OwnedFd> {
        self.fd.try_clone()
    }

    fn finish(&mut self, result: io::Result<u32>) -> (io::Result<u32>, ()) {
        (result, ())
    }
}

#[test]
fn what_may_block_though_its_event_came_goes_to_the_pool() {
    let config = Config::default().driver(DriverKind::Epoll);
    let reactor = Reactor::new(&config.offload(Arc::new(AtOnce))).unwrap();
    let _entered = reactor.enter();
    let (reader, mut writer) = std::io::pipe().unwrap();
    let mut waits = pin!(op::submit(Changing {
        fd: reader.into(),
        tried: false,
    }));
    let mut cx = Context::from_waker(Waker::noop());
    assert!(waits.as_mut().poll(&mut cx).is_pending());
    writer.write_all(b"x").unwrap();
    let turn = reactor.turn(Some(Duration::ZERO)).unwrap();
    assert_eq!(turn.woken, 1, "its future is told");
    let Poll::Ready((result, ())) = waits.as_mut().poll(&mut cx) else {
        panic!("the event comes only once")
    };
    assert_eq!(result.unwrap(), 7);
}
