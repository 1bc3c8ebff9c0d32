//! The futures that run a command, or a conversation with a child, to its end.

use super::child::Child;
use super::command::Command;
use super::talk::{Talk, parked};
use std::fmt;
use std::io;
use std::panic::Location;
use std::pin::Pin;
use std::process::{ExitStatus, Output};
use std::task::{Context, Poll};

/// The future of [`Child::communicate`] and [`Child::wait_with_output`].
#[must_use = "futures do nothing unless awaited"]
pub struct Communicate {
    talk: Option<Talk>,
    /// What was wrong before it began.
    error: Option<io::Error>,
    location: &'static Location<'static>,
}

impl Communicate {
    pub(super) fn new(
        child: Child,
        input: Vec<u8>,
        error: Option<io::Error>,
        location: &'static Location<'static>,
    ) -> Communicate {
        Communicate {
            talk: Some(Talk::new(child, input)),
            error,
            location,
        }
    }

    /// Takes at most `bytes` of stdout, and as many of stderr; more is an error
    /// of the kind `FileTooLarge`, and the child is dropped.
    ///
    /// # Example
    ///
    /// ```
    /// use std::io;
    /// use wakeline_net::process::Command;
    ///
    /// # wakeline_net::testing::block_on(async {
    /// let mut endless = Command::new("yes");
    /// let error = endless.output().limit(1000).await.unwrap_err();
    /// assert_eq!(error.kind(), io::ErrorKind::FileTooLarge);
    /// # });
    /// ```
    pub fn limit(mut self, bytes: usize) -> Communicate {
        if let Some(talk) = &mut self.talk {
            talk.limit = bytes;
        }
        self
    }
}

impl Future for Communicate {
    type Output = io::Result<Output>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let this = &mut *self;
        let result = match this.error.take() {
            Some(error) => Err(error),
            None => {
                let talk = this.talk.as_mut();
                let talk = talk.expect("the future was polled after it was ready");
                std::task::ready!(talk.poll(cx, this.location))
            }
        };
        // Its pipes are closed now, and the child goes the way of a dropped one.
        this.talk = None;
        Poll::Ready(result)
    }
}

impl fmt::Debug for Communicate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Communicate")
            .field("from", &self.location)
            .finish_non_exhaustive()
    }
}

/// The future of [`Command::output`].
#[must_use = "futures do nothing unless awaited"]
pub struct RunOutput<'a> {
    command: Option<&'a mut Command>,
    talk: Option<Communicate>,
    limit: usize,
    location: &'static Location<'static>,
}

impl<'a> RunOutput<'a> {
    pub(super) fn new(
        command: &'a mut Command,
        location: &'static Location<'static>,
    ) -> RunOutput<'a> {
        RunOutput {
            command: Some(command),
            talk: None,
            limit: usize::MAX,
            location,
        }
    }

    /// Takes at most `bytes` of stdout, and as many of stderr; see
    /// [`Communicate::limit`].
    pub fn limit(mut self, bytes: usize) -> RunOutput<'a> {
        self.limit = bytes;
        self
    }
}

impl Future for RunOutput<'_> {
    type Output = io::Result<Output>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let this = &mut *self;
        if let Some(command) = this.command.take() {
            let child = command.spawn_captured()?;
            let talk = Communicate::new(child, Vec::new(), None, this.location);
            this.talk = Some(talk.limit(this.limit));
        }
        let talk = this.talk.as_mut();
        Pin::new(talk.expect("the future was polled after it was ready")).poll(cx)
    }
}

impl fmt::Debug for RunOutput<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RunOutput")
            .field("from", &self.location)
            .finish_non_exhaustive()
    }
}

/// The future of [`Command::status`].
#[must_use = "futures do nothing unless awaited"]
pub struct RunStatus<'a> {
    command: Option<&'a mut Command>,
    child: Option<Child>,
    location: &'static Location<'static>,
}

impl<'a> RunStatus<'a> {
    pub(super) fn new(
        command: &'a mut Command,
        location: &'static Location<'static>,
    ) -> RunStatus<'a> {
        RunStatus {
            command: Some(command),
            child: None,
            location,
        }
    }
}

impl Future for RunStatus<'_> {
    type Output = io::Result<ExitStatus>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let this = &mut *self;
        if let Some(command) = this.command.take() {
            let mut child = command.spawn()?;
            child.close_pipes();
            this.child = Some(child);
        }
        let child = this.child.as_mut();
        let child = child.expect("the future was polled after it was ready");
        match child.poll_end(cx) {
            Poll::Pending => {
                parked(child, this.location);
                Poll::Pending
            }
            Poll::Ready(result) => {
                this.child = None;
                Poll::Ready(result)
            }
        }
    }
}

impl fmt::Debug for RunStatus<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RunStatus")
            .field("from", &self.location)
            .finish_non_exhaustive()
    }
}
