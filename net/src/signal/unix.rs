//! Any signal that may be handled: [`signal`], [`SignalKind`], [`Signal`].

use crate::error::{self, Context as ErrorContext};
use crate::sys;
use futures_core::Stream;
use rustix::net::{AddressFamily, SocketFlags, SocketType};
use signal_hook::{SigId, consts, flag};
use std::ffi::c_int;
use std::fmt;
use std::io;
use std::os::fd::BorrowedFd;
use std::panic::Location;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll, ready};
use wakeline_context::{Kind, waiting_on};
use wakeline_reactor::{Direction, Done, Source};

/// Which signal.
///
/// # Example
///
/// ```
/// use wakeline_net::signal::unix::SignalKind;
///
/// assert_eq!(SignalKind::terminate().to_string(), "SIGTERM");
/// assert_eq!(SignalKind::from_raw(15), SignalKind::terminate());
/// assert_eq!(SignalKind::from(29), SignalKind::io());
/// ```
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct SignalKind(c_int);

macro_rules! kinds {
    ($($(#[$doc:meta])* $name:ident = $constant:ident;)*) => {
        impl SignalKind {
            $($(#[$doc])*
            #[must_use]
            pub const fn $name() -> SignalKind {
                SignalKind(consts::$constant)
            })*
        }

        impl fmt::Display for SignalKind {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                match self.0 {
                    $(consts::$constant => f.write_str(stringify!($constant)),)*
                    other => write!(f, "signal {other}"),
                }
            }
        }
    };
}

kinds! {
    /// SIGALRM: a timer of the process is due.
    alarm = SIGALRM;
    /// SIGCHLD: a child process stopped or ended.
    child = SIGCHLD;
    /// SIGHUP: the terminal is gone; by custom, read the settings again.
    hangup = SIGHUP;
    /// SIGINT: `Ctrl-C`.
    interrupt = SIGINT;
    /// SIGIO: a descriptor that was told to signal is ready.
    io = SIGIO;
    /// SIGPIPE: a pipe without a reader; wakeline's sockets never cause it.
    pipe = SIGPIPE;
    /// SIGQUIT: `Ctrl-\`.
    quit = SIGQUIT;
    /// SIGTERM: please end.
    terminate = SIGTERM;
    /// SIGUSR1: whatever the program says.
    user_defined1 = SIGUSR1;
    /// SIGUSR2: whatever the program says.
    user_defined2 = SIGUSR2;
    /// SIGWINCH: the terminal has another size.
    window_change = SIGWINCH;
}

impl SignalKind {
    /// A signal by its number.
    #[must_use]
    pub const fn from_raw(number: c_int) -> SignalKind {
        SignalKind(number)
    }

    /// The signal's number.
    #[must_use]
    pub const fn as_raw(self) -> c_int {
        self.0
    }
}

impl From<c_int> for SignalKind {
    fn from(number: c_int) -> SignalKind {
        SignalKind::from_raw(number)
    }
}

impl From<SignalKind> for c_int {
    fn from(kind: SignalKind) -> c_int {
        kind.as_raw()
    }
}

impl fmt::Debug for SignalKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SignalKind({self})")
    }
}

/// Listens for a signal from now on.
///
/// # Errors
///
/// `InvalidInput` for a signal that cannot be handled (SIGKILL, SIGSTOP) or
/// that tells of a bug in this process (SIGSEGV, SIGILL, SIGFPE); else when the
/// pipe or the handler cannot be made.
///
/// # Example
///
/// ```
/// use wakeline_net::signal::unix::{SignalKind, signal};
///
/// # wakeline_net::testing::block_on(async {
/// let mut hangup = signal(SignalKind::hangup())?;
/// # signal_hook::low_level::raise(SignalKind::hangup().as_raw())?;
/// hangup.recv().await?; // read the settings again
/// # std::io::Result::Ok(())
/// # })?;
/// # Ok::<(), std::io::Error>(())
/// ```
pub fn signal(kind: SignalKind) -> io::Result<Signal> {
    let doing = || format!("listen for {kind}");
    if consts::FORBIDDEN.contains(&kind.0) {
        return Err(ErrorContext::wrap(doing(), forbidden()));
    }
    let (here, there) = rustix::net::socketpair(
        AddressFamily::UNIX,
        SocketType::STREAM,
        SocketFlags::CLOEXEC | SocketFlags::NONBLOCK,
        None,
    )
    .map_err(|errno| ErrorContext::with_hint(doing(), error::limits(Some(errno)), errno.into()))?;
    let came = Arc::new(AtomicBool::new(false));
    // Handlers run in the order of registration: the mark is there before the byte.
    let mark = flag::register(kind.0, Arc::clone(&came))
        .map_err(|source| ErrorContext::wrap(doing(), source))?;
    match signal_hook::low_level::pipe::register(kind.0, there) {
        Ok(byte) => Ok(Signal {
            source: Source::new(here),
            kind,
            came,
            handlers: [byte, mark],
        }),
        Err(source) => {
            signal_hook::low_level::unregister(mark);
            Err(ErrorContext::wrap(doing(), source))
        }
    }
}

/// Ends the process at the second signal from now on, at once and with
/// `status`, whatever its threads are doing then.
///
/// The first only arms it: what is to be done about that is a [`Signal`]'s
/// task. Nothing is flushed and no destructor runs, since the handler itself
/// ends the process: for the user who has asked once and is tired of waiting.
///
/// # Errors
///
/// As of [`signal`].
///
/// # Example
///
/// ```
/// use wakeline_net::signal::unix::{SignalKind, exit_at_second};
///
/// let impatient = exit_at_second(SignalKind::interrupt(), 130)?;
/// # signal_hook::low_level::raise(SignalKind::interrupt().as_raw())?;
/// assert!(impatient.is_armed()); // the user has pressed `Ctrl-C` once
/// # Ok::<(), std::io::Error>(())
/// ```
pub fn exit_at_second(kind: SignalKind, status: i32) -> io::Result<ExitAtSecond> {
    let doing = || format!("end the process at the second {kind}");
    if consts::FORBIDDEN.contains(&kind.0) {
        return Err(ErrorContext::wrap(doing(), forbidden()));
    }
    let armed = Arc::new(AtomicBool::new(false));
    // Handlers run in the order of registration: the look comes before the arming.
    let look = flag::register_conditional_shutdown(kind.0, status, Arc::clone(&armed))
        .map_err(|source| ErrorContext::wrap(doing(), source))?;
    match flag::register(kind.0, Arc::clone(&armed)) {
        Ok(arm) => Ok(ExitAtSecond {
            armed,
            handlers: [arm, look],
        }),
        Err(source) => {
            signal_hook::low_level::unregister(look);
            Err(ErrorContext::wrap(doing(), source))
        }
    }
}

/// What [`exit_at_second`] set up; dropping it takes that away.
#[must_use = "dropping this takes the handler away"]
pub struct ExitAtSecond {
    armed: Arc<AtomicBool>,
    handlers: [SigId; 2],
}

impl ExitAtSecond {
    /// Whether the first signal has come.
    #[must_use]
    pub fn is_armed(&self) -> bool {
        // SeqCst as the handler's store; nothing else depends on it.
        self.armed.load(Ordering::SeqCst)
    }
}

impl Drop for ExitAtSecond {
    fn drop(&mut self) {
        for handler in self.handlers {
            signal_hook::low_level::unregister(handler);
        }
    }
}

impl fmt::Debug for ExitAtSecond {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ExitAtSecond")
            .field("armed", &self.is_armed())
            .finish_non_exhaustive()
    }
}

/// `register` panics on these.
fn forbidden() -> io::Error {
    io::Error::new(
        io::ErrorKind::InvalidInput,
        "this signal cannot be handled, or only by ending the process",
    )
}

/// A listener for one signal.
///
/// It is also a [`Stream`], which never ends by itself.
pub struct Signal {
    source: Source,
    kind: SignalKind,
    /// It came to this process. A forked child has the handlers, and the pipe as well.
    came: Arc<AtomicBool>,
    handlers: [SigId; 2],
}

impl Signal {
    /// Waits until the signal has come at least once since the last `recv`.
    ///
    /// # Errors
    ///
    /// The kernel's, of the pipe.
    ///
    /// # Cancellation
    ///
    /// Dropping the future loses no signal.
    #[track_caller]
    pub fn recv(&mut self) -> Recv<'_> {
        Recv {
            location: Location::caller(),
            signal: self,
        }
    }

    /// Which signal it listens for.
    #[must_use]
    pub fn kind(&self) -> SignalKind {
        self.kind
    }

    /// Waits for the signal, with the one waker of `poll_` callers.
    ///
    /// # Errors
    ///
    /// As of [`recv`](Signal::recv).
    #[track_caller]
    pub fn poll_recv(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.poll_at(cx, Location::caller())
    }

    pub(crate) fn poll_at(
        &mut self,
        cx: &mut Context<'_>,
        location: &'static Location<'static>,
    ) -> Poll<io::Result<()>> {
        let came = &self.came;
        let poll = self.source.poll_io(cx, Direction::Read, |fd| {
            let drained = drain(fd)?;
            // SeqCst as the handler's store, which is before its byte.
            if came.swap(false, Ordering::SeqCst) {
                Ok(drained)
            } else {
                Err(io::ErrorKind::WouldBlock.into())
            }
        });
        if poll.is_pending() {
            waiting_on(Kind::Signal, self.kind.0.unsigned_abs().into(), location);
        }
        poll
    }
}

/// Takes every byte out: several signals are one.
fn drain(fd: BorrowedFd<'_>) -> io::Result<Done<()>> {
    let mut bytes = [0; 64];
    let mut came = false;
    loop {
        match sys::read(fd, sys::Family::Unix, &mut bytes) {
            Ok(Done::Short(_)) => return Ok(Done::Short(())),
            Ok(Done::Full(0)) => {
                let gone = "the handler's end of the pipe is gone";
                return Err(io::Error::new(io::ErrorKind::UnexpectedEof, gone));
            }
            Ok(Done::Full(_)) => came = true,
            Err(error) if came && error.kind() == io::ErrorKind::WouldBlock => {
                return Ok(Done::Short(()));
            }
            Err(error) => return Err(error),
        }
    }
}

impl Drop for Signal {
    fn drop(&mut self) {
        for handler in self.handlers {
            signal_hook::low_level::unregister(handler);
        }
    }
}

impl Stream for Signal {
    type Item = io::Result<()>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        Poll::Ready(Some(ready!(self.poll_recv(cx))))
    }
}

impl fmt::Debug for Signal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Signal")
            .field("kind", &self.kind)
            .finish_non_exhaustive()
    }
}

/// The future of [`Signal::recv`].
#[derive(Debug)]
#[must_use = "futures do nothing unless awaited"]
pub struct Recv<'a> {
    signal: &'a mut Signal,
    location: &'static Location<'static>,
}

impl Future for Recv<'_> {
    type Output = io::Result<()>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let this = &mut *self;
        this.signal.poll_at(cx, this.location)
    }
}
