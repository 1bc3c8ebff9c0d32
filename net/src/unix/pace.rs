//! Trying again and again, for the two cases where the kernel has no event.
//!
//! A Unix connect to a listener whose queue is full, and a datagram to an
//! unconnected receiver whose queue is full, are refused with `EAGAIN`; what
//! they wait for happens on *another* socket, and ours is told nothing. So they
//! are tried again after 1, 2, 4, … up to 50 ms.

use std::fmt;
use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;
use wakeline_context::budget;
use wakeline_reactor::time::{Sleep, sleep};

const FIRST: Duration = Duration::from_millis(1);
const LONGEST: Duration = Duration::from_millis(50);

#[derive(Default)]
pub(super) struct Pace {
    pause: Option<Pin<Box<Sleep>>>,
    paused_for: Option<Duration>,
}

impl Pace {
    /// Calls `attempt` until the result is something else than `WouldBlock`.
    pub(super) fn poll<T>(
        &mut self,
        cx: &mut Context<'_>,
        mut attempt: impl FnMut() -> io::Result<T>,
    ) -> Poll<io::Result<T>> {
        loop {
            if let Some(pause) = &mut self.pause {
                ready!(pause.as_mut().poll(cx));
                self.pause = None;
            }
            let unit = ready!(budget::poll_proceed(cx));
            match attempt() {
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                    let next = self.paused_for.map_or(FIRST, |pause| pause * 2);
                    unit.refund();
                    self.paused_for = Some(next.min(LONGEST));
                    self.pause = Some(Box::pin(sleep(next.min(LONGEST))));
                }
                result => {
                    unit.spend();
                    return Poll::Ready(result);
                }
            }
        }
    }
}

impl fmt::Debug for Pace {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Pace")
            .field("paused_for", &self.paused_for)
            .finish_non_exhaustive()
    }
}
