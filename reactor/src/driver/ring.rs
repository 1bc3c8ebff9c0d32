//! The ring itself: set up, push, enter, reap. All of its unsafe code.
//!
//! | memory                    | who may touch it         | until                        |
//! |---------------------------|--------------------------|------------------------------|
//! | submission ring, its tail | this thread, in `push`   | the kernel consumes the entry |
//! | completion ring, its head | this thread, in `reap`   | the same call                |
//! | what an entry points to   | the kernel               | its terminal completion      |
//!
//! The third row is the promise of `push`'s caller, `uring.rs`: a slot keeps
//! the operation or the source, and is emptied at the terminal completion only.
//!
//! The flags, and why:
//!
//! - `SINGLE_ISSUER`, `DEFER_TASKRUN`: completions are worked on when this
//!   thread enters, never in the middle of something else. 10 % less CPU.
//! - `TASKRUN_FLAG`: the kernel says in shared memory that such work waits, so
//!   a turn without any makes no system call.
//! - `SUBMIT_ALL`: one bad entry does not stop the others.
//! - `CLAMP`, `CQSIZE`: sizes are wishes; four completions for a submission.
//! - `NO_SQARRAY`: no indirection, where the kernel has it (6.6).
//! - The descriptor is `CLOEXEC`, the memory `DONTFORK`: a child has neither.
//!
//! Left out: registering the ring's descriptor (1 % with three other measures
//! together, which is noise here), `SQPOLL` (wants a core of its own).

#![allow(
    unsafe_code,
    reason = "the ring's memory is shared with the kernel; see the table"
)]

use super::old;
use crate::clock;
use crate::metrics::{Counts, add};
use io_uring::squeue::Entry;
use io_uring::types::{CancelBuilder, SubmitArgs, Timespec};
use io_uring::{EnterFlags, IoUring, Probe, cqueue, opcode};
use std::io;
use std::time::Duration;

/// One completion.
#[derive(Clone, Copy, Debug)]
pub(super) struct Completion {
    pub(super) data: u64,
    pub(super) result: i32,
    /// More will come for the same request.
    pub(super) more: bool,
    /// It is no result, but says that memory is not used any more.
    pub(super) notification: bool,
}

impl Completion {
    /// The result as the value or the error that it stands for.
    pub(super) fn value(self) -> io::Result<u32> {
        u32::try_from(self.result).map_err(|_| io::Error::from_raw_os_error(self.errno()))
    }

    /// The error's number. ERESTARTSYS and its kin are the kernel's word to itself for a
    /// system call that a signal has interrupted; of some requests a ring lets them out.
    pub(super) fn errno(self) -> i32 {
        match -self.result {
            512..=514 | 516 => libc::EINTR,
            errno => errno,
        }
    }
}

pub(super) struct Ring {
    ring: IoUring,
    enter_flags: EnterFlags,
}

impl Ring {
    /// Sets a ring up for this thread.
    pub(super) fn new(entries: u32, completions: u32) -> io::Result<Ring> {
        let build = |no_sqarray: bool| {
            let mut builder = IoUring::builder();
            builder
                .dontfork()
                .setup_single_issuer()
                .setup_defer_taskrun()
                .setup_taskrun_flag()
                .setup_submit_all()
                .setup_clamp()
                .setup_cqsize(completions);
            if no_sqarray {
                builder.setup_no_sqarray();
                if old::is_old() {
                    return Err(io::Error::from_raw_os_error(libc::EINVAL));
                }
            }
            builder.build(entries)
        };
        let ring = match build(true) {
            // Before 6.6 the kernel does not know the last flag.
            Err(error) if error.raw_os_error() == Some(libc::EINVAL) => build(false)?,
            result => result?,
        };
        let params = ring.params();
        if !(params.is_feature_nodrop() && params.is_feature_ext_arg()) {
            return Err(io::Error::from_raw_os_error(libc::EINVAL));
        }
        let mut enter_flags = EnterFlags::GETEVENTS;
        if params.is_feature_no_iowait() {
            // A thread that waits for a socket is idle, not waiting for a disk.
            enter_flags |= EnterFlags::NO_IOWAIT;
        }
        Ok(Ring { ring, enter_flags })
    }

    /// Whether the kernel knows every request that the driver makes, and
    /// answers one; yields those of `optional` that it knows.
    pub(super) fn self_test(&mut self, optional: &[u8]) -> io::Result<Vec<u8>> {
        let mut probe = Probe::new();
        self.ring.submitter().register_probe(&mut probe)?;
        let needed = [
            opcode::PollAdd::CODE,
            opcode::AsyncCancel::CODE,
            opcode::Read::CODE,
            opcode::Write::CODE,
            opcode::Fsync::CODE,
            opcode::OpenAt::CODE,
            opcode::Connect::CODE,
            opcode::Close::CODE,
            opcode::Statx::CODE,
            opcode::Fallocate::CODE,
            opcode::Readv::CODE,
            opcode::Writev::CODE,
            opcode::SendZc::CODE,
        ];
        if !needed.into_iter().all(|code| probe.is_supported(code)) {
            return Err(io::Error::from_raw_os_error(libc::EOPNOTSUPP));
        }
        // SAFETY: a NOP points to nothing.
        let pushed = unsafe { self.push(&opcode::Nop::new().build()) };
        assert!(pushed, "the ring is new");
        self.enter(Some(None), &Counts::default())?;
        if self.completions() == 1 && self.reap().is_some() {
            let known = optional.iter().filter(|code| probe.is_supported(**code));
            Ok(known.copied().collect())
        } else {
            Err(io::ErrorKind::InvalidData.into())
        }
    }

    /// Submission and completion entries.
    pub(super) fn size(&self) -> (u32, u32) {
        (
            self.ring.params().sq_entries(),
            self.ring.params().cq_entries(),
        )
    }

    /// Queues a request; `false` if the submission ring is full.
    ///
    /// # Safety
    ///
    /// What `entry` points to must stay where it is until its terminal
    /// completion was reaped, and the descriptor that it names must stay open
    /// until its first one was; the kernel may see the entry at any time from
    /// now on.
    pub(super) unsafe fn push(&mut self, entry: &Entry) -> bool {
        // SAFETY: the caller's promise is the one that the crate asks for.
        unsafe { self.ring.submission().push(entry) }.is_ok()
    }

    /// Whether there is a reason to enter without waiting: something to submit,
    /// work that the kernel left for this thread, or completions that had no room.
    pub(super) fn must_enter(&mut self) -> bool {
        let queue = self.ring.submission();
        !queue.is_empty() || queue.taskrun() || queue.cq_overflow()
    }

    /// Requests that the kernel has not taken.
    pub(super) fn has_queued(&mut self) -> bool {
        !self.ring.submission().is_empty()
    }

    /// Completions were kept back because the completion ring was full.
    pub(super) fn has_overflowed(&mut self) -> bool {
        self.ring.submission().cq_overflow()
    }

    /// Submits, runs the deferred work, and waits for a completion if `sleep`
    /// says so: `None` not at all, else until then or without end.
    pub(super) fn enter(&mut self, sleep: Option<Option<u64>>, counts: &Counts) -> io::Result<()> {
        add(&counts.waits, 1);
        let queued = self.ring.submission().len() as u32;
        let left = sleep.map(|until| {
            until.map(|until| Duration::from_nanos(until.saturating_sub(clock::now_nanos())))
        });
        let submitter = self.ring.submitter();
        let flags = self.enter_flags.bits();
        let result = match left {
            // Not "wait for one, at most 0 ns", which costs a timer.
            None | Some(Some(Duration::ZERO)) => {
                // SAFETY: no argument is passed.
                unsafe { submitter.enter::<libc::sigset_t>(queued, 0, flags, None) }
            }
            Some(None) => {
                // SAFETY: as above.
                unsafe { submitter.enter::<libc::sigset_t>(queued, 1, flags, None) }
            }
            Some(Some(left)) => {
                let timeout = Timespec::from(left);
                let args = SubmitArgs::new().timespec(&timeout);
                let flags = flags | EnterFlags::EXT_ARG.bits();
                // SAFETY: `args` is what EXT_ARG says it is, and it and the
                // `timeout` it points to outlive the call.
                unsafe { submitter.enter(queued, 1, flags, Some(&args)) }
            }
        };
        match result {
            Ok(_) => Ok(()),
            Err(error) => match error.raw_os_error() {
                // The one place where an interrupted wait is met. ETIME: the
                // limit. EBUSY, EAGAIN: nothing was submitted, since there are
                // completions to be reaped first, or memory is short; what is
                // queued stays queued for the next enter.
                Some(libc::EINTR | libc::ETIME | libc::EBUSY | libc::EAGAIN) => Ok(()),
                _ => Err(error),
            },
        }
    }

    /// How many completions can be reaped now.
    #[inline]
    pub(super) fn completions(&mut self) -> usize {
        self.ring.completion().len()
    }

    /// Takes one completion out.
    #[inline]
    pub(super) fn reap(&mut self) -> Option<Completion> {
        let entry = self.ring.completion().next()?;
        Some(Completion {
            data: entry.user_data(),
            result: entry.result(),
            more: cqueue::more(entry.flags()),
            notification: cqueue::notif(entry.flags()),
        })
    }

    /// Has the kernel cancel all it holds, and waits for that, at most `limit`.
    pub(super) fn cancel_all(&mut self, limit: Duration) {
        let timeout = Some(Timespec::from(limit));
        // An error means that there was nothing, or that it takes longer: the
        // caller counts what is left either way.
        let _ = self
            .ring
            .submitter()
            .register_sync_cancel(timeout, CancelBuilder::any().all());
    }
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::*;

    #[test]
    fn what_the_kernel_has_for_itself_is_an_interruption() {
        let errno = |result| {
            let completion = Completion {
                data: 0,
                result,
                more: false,
                notification: false,
            };
            completion.value().unwrap_err().raw_os_error().unwrap()
        };
        for internal in [512, 513, 514, 516] {
            assert_eq!(errno(-internal), libc::EINTR, "{internal}");
        }
        for told in [1, libc::EINTR, libc::ECANCELED, 511, 515, 517] {
            assert_eq!(errno(-told), told);
        }
    }
}
