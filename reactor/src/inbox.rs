//! Messages from other threads to a reactor: rare things that only its own
//! thread may do. Wakes do not travel here; they go to the executor's queues.

use crate::slots::Key;
use crate::steps;
use crate::sync::Lock;
use crate::sync::atomic::{AtomicBool, Ordering};
use crate::time::wheel;

/// A request to the owner of a reactor.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Message {
    /// A source was dropped elsewhere: forget this arming of it.
    Release(Key),
    /// An operation's future was dropped or cancelled elsewhere.
    CancelOp(Key),
    /// A sleep was dropped or moved elsewhere.
    CancelTimer(wheel::Key),
    /// A sleep's deadline was changed elsewhere: wake it, so that it is polled
    /// and moves to the thread that polls it.
    FireTimer(wheel::Key),
    /// Who waited for a step of time was dropped elsewhere.
    CancelStep(steps::Id),
}

/// The queue. Unbounded: each message stands for something the sender owned,
/// so their number is bounded by what exists.
#[derive(Debug)]
pub(crate) struct Inbox {
    /// `None` once the reactor is gone.
    queue: Lock<Option<Vec<Message>>>,
    has_mail: AtomicBool,
}

impl Inbox {
    pub(crate) fn new() -> Inbox {
        Inbox {
            queue: Lock::new(Some(Vec::new())),
            has_mail: AtomicBool::new(false),
        }
    }

    /// Whether the message was taken; a closed inbox has let go of everything
    /// that a message could be about. The caller notifies the owner.
    pub(crate) fn push(&self, message: Message) -> bool {
        let mut queue = self.queue.lock();
        let Some(messages) = queue.as_mut() else {
            return false;
        };
        messages.push(message);
        // Relaxed: the lock orders it against `take`; an owner that reads it
        // without the lock and misses it is about to be notified.
        self.has_mail.store(true, Ordering::Relaxed);
        true
    }

    /// Whether `take` would find something.
    #[inline]
    pub(crate) fn has_mail(&self) -> bool {
        // Relaxed: see `push`.
        self.has_mail.load(Ordering::Relaxed)
    }

    /// Moves what there is into `out`, oldest first.
    #[inline]
    pub(crate) fn take(&self, out: &mut Vec<Message>) {
        if !self.has_mail() {
            return;
        }
        let mut queue = self.queue.lock();
        self.has_mail.store(false, Ordering::Relaxed);
        if let Some(messages) = queue.as_mut() {
            out.append(messages);
        }
    }

    /// Refuses messages from now on and hands out the last ones.
    pub(crate) fn close(&self) -> Vec<Message> {
        self.queue.lock().take().unwrap_or_default()
    }
}

#[cfg(test)]
mod tests;
