//! The futures that wait for a step of time.

use super::{core, paused_core};
use crate::clock;
use crate::current;
use crate::inbox::Message;
use crate::reactor::Core;
use crate::remote::Home;
use crate::steps::Id;
use crate::time::wheel;
use std::future::Future;
use std::panic::Location;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;
use wakeline_context::{Kind, waiting_on};

/// The future of [`advance`](super::advance).
#[derive(Debug)]
#[must_use = "time moves only while this is awaited"]
pub struct Advance {
    pub(super) duration: Duration,
    pub(super) wait: Wait,
    pub(super) location: &'static Location<'static>,
}

/// The future of [`wait_all_blocked`](super::wait_all_blocked).
#[derive(Debug)]
#[must_use = "futures do nothing unless awaited"]
pub struct WaitAllBlocked {
    pub(super) wait: Wait,
    pub(super) location: &'static Location<'static>,
}

/// A future that waits for a step: `New`, then `Listed`, then `Over`.
#[derive(Debug)]
pub(super) enum Wait {
    New,
    Listed(Entry),
    /// Its step was taken.
    Over,
}

/// A place among those who wait; removed when this is dropped.
#[derive(Debug)]
pub(super) struct Entry {
    home: u64,
    id: Id,
}

impl Future for Advance {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        if matches!(self.wait, Wait::New) {
            let waker = cx.waker().clone();
            let core = paused_core("time::advance");
            let target = clock::after(core.now_nanos(), self.duration).min(wheel::LAST);
            let id = core.steps.borrow_mut().wait_for_moment(target, waker);
            self.wait = Wait::listed(&core, id);
        }
        let location = self.location;
        self.wait.poll(cx, "time::advance", location)
    }
}

impl Future for WaitAllBlocked {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        if matches!(self.wait, Wait::New) {
            let waker = cx.waker().clone();
            let core = core("wait_all_blocked");
            let id = core.steps.borrow_mut().wait_for_quiet(waker);
            self.wait = Wait::listed(&core, id);
        }
        let location = self.location;
        self.wait.poll(cx, "wait_all_blocked", location)
    }
}

impl Wait {
    fn listed(core: &Core, id: Id) -> Wait {
        core.update_special();
        Wait::Listed(Entry {
            home: core.home.id,
            id,
        })
    }

    fn poll(
        &mut self,
        cx: &mut Context<'_>,
        what: &str,
        location: &'static Location<'static>,
    ) -> Poll<()> {
        let Wait::Listed(entry) = self else {
            return Poll::Ready(());
        };
        let mut waker = cx.waker().clone();
        let listed = current::if_home(entry.home, |core| {
            match core.steps.borrow_mut().get_mut(entry.id) {
                Some(listed) => std::mem::swap(listed, &mut waker),
                None => return false,
            }
            true
        });
        drop(waker); // the older one, after the borrow
        match listed {
            None => {
                panic!("{what}, made at {location}, was polled on another thread than at first")
            }
            Some(true) => {
                waiting_on(Kind::Timer, 0, location);
                Poll::Pending
            }
            Some(false) => {
                *self = Wait::Over;
                Poll::Ready(())
            }
        }
    }
}

impl Drop for Entry {
    fn drop(&mut self) {
        let found = current::if_home(self.home, |core| {
            let removed = core.remove_step(self.id);
            drop(removed); // after the borrow: it is foreign code
        });
        if found.is_none() {
            Home::send_to(self.home, Message::CancelStep(self.id));
        }
    }
}
