//! The end of a file, with a word about errors.

use super::file::File;
use super::started::Started;
use std::io;
use std::os::fd::AsFd;
use std::panic::Location;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use wakeline_context::{Kind, waiting_on};
use wakeline_reactor::op::{self, Descriptor};

impl File {
    /// Closes the file, and tells what closing it may have to tell: on a network
    /// the last word about what was written.
    ///
    /// # Errors
    ///
    /// What the kernel says. The file is closed all the same.
    ///
    /// # Cancellation
    ///
    /// Dropping the future closes the file.
    #[track_caller]
    pub fn close(self) -> CloseFile {
        CloseFile {
            state: Stage::Flushing(self),
            failed: None,
            location: Location::caller(),
        }
    }

    /// Closes it as [`close`](File::close) does where somebody else keeps it. The close of
    /// what is kept here waits for nobody and tells nothing: there it costs no operation.
    /// No write is under way.
    pub(super) async fn close_unless_local(self) -> io::Result<()> {
        if self.fd.is_local() {
            return Ok(());
        }
        self.close().await
    }
}

/// A duplicate, whose close tells what the last one would have to tell. `None`: there is
/// no descriptor for it, and the close of what is kept here has nothing to tell.
pub(super) fn duplicate(fd: &Descriptor) -> io::Result<Option<Descriptor>> {
    match fd.as_fd().try_clone_to_owned() {
        Ok(own) => Ok(Some(own.into())),
        Err(_none_left) if fd.is_local() => Ok(None),
        Err(error) => Err(error),
    }
}

/// The future of [`File::close`].
#[derive(Debug)]
#[must_use = "dropping it closes the file without a word about errors"]
pub struct CloseFile {
    state: Stage,
    /// What a write came to of which nobody heard.
    failed: Option<io::Error>,
    location: &'static Location<'static>,
}

#[derive(Debug)]
#[expect(
    clippy::large_enum_variant,
    reason = "it is moved once, and a box would be an allocation"
)]
enum Stage {
    Flushing(File),
    Closing(Started<op::CloseFile>),
    Closed(Option<io::Result<()>>),
}

impl CloseFile {
    /// The file is flushed: gives its descriptor up.
    fn begin(&mut self) {
        let done = Stage::Closed(Some(Ok(())));
        let Stage::Flushing(file) = std::mem::replace(&mut self.state, done) else {
            unreachable!("a file is flushed once")
        };
        let writable = file.is_writable();
        let own = match Arc::try_unwrap(file.into_descriptor()) {
            // Nothing was written: there is nothing to wait for or to tell. But a
            // FUSE server is told of each close.
            Ok(own) if !writable && own.is_local() => return,
            Ok(own) => Ok(Some(own)),
            // An operation whose future was dropped has it too, and closes it
            // when it is done.
            Err(shared) => duplicate(&shared),
        };
        self.state = match own {
            Ok(Some(own)) => Stage::Closing(Started::new(self.location, op::CloseFile::new(own))),
            Ok(None) => return,
            Err(error) => Stage::Closed(Some(Err(error))),
        };
    }
}

impl Future for CloseFile {
    type Output = io::Result<()>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let this = &mut *self;
        loop {
            match &mut this.state {
                Stage::Flushing(file) => {
                    let Poll::Ready(flushed) = file.poll_flush_here(cx) else {
                        waiting_on(Kind::Operation, 0, this.location);
                        return Poll::Pending;
                    };
                    this.failed = flushed.err();
                    this.begin();
                }
                Stage::Closing(close) => {
                    let (closed, ()) = ready!(Pin::new(close).poll(cx));
                    this.state = Stage::Closed(Some(closed));
                }
                Stage::Closed(closed) => {
                    let closed = closed.take();
                    let closed = closed.expect("a close is not polled after it was ready");
                    return Poll::Ready(this.failed.take().map_or(closed, Err));
                }
            }
        }
    }
}
