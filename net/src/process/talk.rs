//! A whole conversation: fed, read and awaited at the same time.
//!
//! A pipe holds 64 KiB. A child that fills one stops until somebody reads, and
//! who waits for the other pipe meanwhile, or for the child's end, waits for
//! ever. So all that can move does, in turns, one call each:
//!
//! ```text
//!   poll ─▶ feed stdin ─▶ read stdout ─▶ read stderr ─▶ the end?
//!             ▲                                            │
//!             └────────────── something moved ─────────────┘
//! ```
//!
//! It is over when both outputs are at their end and the child is reaped. What
//! was not fed by then is not wanted: a child need not read its input.

use super::child::Child;
use super::error;
use super::{ChildStdin, Output};
use crate::io::PooledBuf;
use crate::pipe::Receiver;
use futures_io::{AsyncRead, AsyncWrite};
use std::io;
use std::panic::Location;
use std::pin::Pin;
use std::process::ExitStatus;
use std::task::{Context, Poll};
use wakeline_context::{Kind, budget, waiting_on};

/// The most that one call reads: what a pipe holds.
const STEP: usize = 64 << 10;

#[derive(Debug)]
pub(super) struct Talk {
    child: Child,
    stdin: Option<ChildStdin>,
    input: Vec<u8>,
    fed: usize,
    stdout: Capture,
    stderr: Capture,
    status: Option<ExitStatus>,
    pub(super) limit: usize,
}

/// What one step came to.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Step {
    Moved,
    /// Nothing now: the waker is listed. Or nothing any more.
    Still,
}

impl Talk {
    pub(super) fn new(mut child: Child, input: Vec<u8>) -> Talk {
        Talk {
            stdin: child.stdin.take(),
            stdout: Capture::new("stdout", child.stdout.take()),
            stderr: Capture::new("stderr", child.stderr.take()),
            child,
            input,
            fed: 0,
            status: None,
            limit: usize::MAX,
        }
    }

    pub(super) fn poll(
        &mut self,
        cx: &mut Context<'_>,
        location: &'static Location<'static>,
    ) -> Poll<io::Result<Output>> {
        let mut buf = PooledBuf::none();
        buf.make_room(STEP);
        loop {
            let fed = self.feed(cx)?;
            let out = self.read(cx, |talk| &mut talk.stdout, &mut buf)?;
            let err = self.read(cx, |talk| &mut talk.stderr, &mut buf)?;
            if self.is_over(cx)? {
                return Poll::Ready(Ok(self.take()));
            }
            if [fed, out, err].iter().all(|step| *step == Step::Still) {
                parked(&self.child, location);
                return Poll::Pending;
            }
        }
    }

    fn feed(&mut self, cx: &mut Context<'_>) -> io::Result<Step> {
        let Some(stdin) = &mut self.stdin else {
            return Ok(Step::Still);
        };
        if self.fed < self.input.len() {
            match Pin::new(stdin).poll_write(cx, &self.input[self.fed..]) {
                Poll::Pending => return Ok(Step::Still),
                Poll::Ready(Ok(n)) => {
                    self.fed += n;
                    return Ok(Step::Moved);
                }
                // It does not read on, which is its right.
                Poll::Ready(Err(error)) if error.kind() == io::ErrorKind::BrokenPipe => {}
                Poll::Ready(Err(error)) => return Err(error),
            }
        }
        self.stdin = None; // the end that the child sees
        self.input = Vec::new();
        Ok(Step::Still)
    }

    fn read(
        &mut self,
        cx: &mut Context<'_>,
        which: impl Fn(&mut Talk) -> &mut Capture,
        buf: &mut PooledBuf,
    ) -> io::Result<Step> {
        let limit = self.limit;
        let capture = which(self);
        let step = capture.read(cx, buf)?;
        if capture.bytes.len() > limit {
            let name = capture.name;
            return Err(error::too_much(self.child.program(), name, limit));
        }
        Ok(step)
    }

    fn is_over(&mut self, cx: &mut Context<'_>) -> io::Result<bool> {
        if self.status.is_none()
            && let Poll::Ready(status) = self.child.poll_end(cx)
        {
            self.status = Some(status?);
        }
        Ok(self.status.is_some() && self.stdout.is_over() && self.stderr.is_over())
    }

    fn take(&mut self) -> Output {
        self.stdin = None;
        Output {
            status: self.status.expect("looked at just before"),
            stdout: std::mem::take(&mut self.stdout.bytes),
            stderr: std::mem::take(&mut self.stderr.bytes),
        }
    }
}

/// Says where the user's code waits, and for whom.
pub(super) fn parked(child: &Child, location: &'static Location<'static>) {
    let kind = if budget::is_spent() {
        Kind::Yield
    } else {
        Kind::Process
    };
    waiting_on(kind, child.id().unwrap_or_default().into(), location);
}

/// One of the outputs, as far as it has come.
#[derive(Debug)]
struct Capture {
    name: &'static str,
    pipe: Option<Receiver>,
    bytes: Vec<u8>,
}

impl Capture {
    fn new(name: &'static str, pipe: Option<Receiver>) -> Capture {
        Capture {
            name,
            pipe,
            bytes: Vec::new(),
        }
    }

    fn is_over(&self) -> bool {
        self.pipe.is_none()
    }

    fn read(&mut self, cx: &mut Context<'_>, buf: &mut PooledBuf) -> io::Result<Step> {
        let Some(pipe) = &mut self.pipe else {
            return Ok(Step::Still);
        };
        let space = buf.space();
        match Pin::new(pipe).poll_read(cx, space) {
            Poll::Pending => Ok(Step::Still),
            Poll::Ready(Ok(0)) => {
                self.pipe = None;
                Ok(Step::Still)
            }
            Poll::Ready(Ok(n)) => {
                self.bytes.extend_from_slice(&space[..n]);
                Ok(Step::Moved)
            }
            Poll::Ready(Err(error)) => Err(error),
        }
    }
}
