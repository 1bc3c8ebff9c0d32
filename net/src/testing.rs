//! What the doctests and tests of this crate run on: a `block_on` over a
//! reactor, and a thread a job in place of a blocking pool. Not for users, who
//! have a runtime.

use crate::{TcpListener, TcpStream, UnixStream};
use std::future::poll_fn;
use std::io;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll, Wake, Waker};
use std::time::Duration;
use wakeline_reactor::{Config, DriverKind, LateWake, Offload, Reactor, Remote};

#[derive(Debug)]
struct Threads;

impl Offload for Threads {
    fn offload(&self, job: Box<dyn FnOnce() -> LateWake + Send>) -> io::Result<()> {
        std::thread::Builder::new().spawn(|| drop(job())).map(drop)
    }
}

struct Signal {
    woken: AtomicBool,
    remote: Remote,
}

impl Wake for Signal {
    fn wake(self: Arc<Self>) {
        self.wake_by_ref();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        // Release pairs with the Acquire in `run`.
        self.woken.store(true, Ordering::Release);
        self.remote.interrupt();
    }
}

/// A reactor of this kind, or `None` where the machine does not allow it.
///
/// # Panics
///
/// If it is io_uring's that is not allowed, and `WAKELINE_TEST_REQUIRE=uring`.
#[must_use]
pub fn reactor(kind: DriverKind) -> Option<Reactor> {
    let config = Config::default().driver(kind).offload(Arc::new(Threads));
    match Reactor::new(&config) {
        Ok(reactor) => Some(reactor),
        Err(error) => {
            assert!(
                kind != DriverKind::Uring
                    || std::env::var("WAKELINE_TEST_REQUIRE").as_deref() != Ok("uring"),
                "io_uring is required here and cannot be had: {error}"
            );
            eprintln!("not tested on {kind}: {error}");
            None
        }
    }
}

/// Runs `future` on `reactor`, polling it only when it was woken: so a lost
/// wake is a test that hangs, not one that passes by accident.
///
/// # Panics
///
/// When a turn fails.
pub fn run<F: Future>(reactor: &Reactor, future: F) -> F::Output {
    let _aside = wakeline_context::Aside::new();
    let _entered = reactor.enter();
    let mut future = pin!(future);
    let signal = Arc::new(Signal {
        woken: AtomicBool::new(true),
        remote: reactor.remote(),
    });
    let waker = Waker::from(Arc::clone(&signal));
    let mut cx = Context::from_waker(&waker);
    loop {
        let mut limit = None;
        if signal.woken.swap(false, Ordering::Acquire) {
            let polling = wakeline_context::Polling::begin();
            let poll = future.as_mut().poll(&mut cx);
            drop(polling);
            if let Poll::Ready(output) = poll {
                return output;
            }
            // It may have woken itself; a turn comes between two polls anyway.
            limit = Some(Duration::ZERO);
        }
        reactor.turn(limit).expect("a turn of the reactor");
    }
}

/// Runs `future` on a new reactor of whichever kind the machine allows.
///
/// # Panics
///
/// When there is none.
pub fn block_on<F: Future>(future: F) -> F::Output {
    let reactor = reactor(DriverKind::Auto).expect("a reactor");
    run(&reactor, future)
}

/// Runs the future of `make` on each kind of reactor that the machine allows.
///
/// # Panics
///
/// When the machine allows none, or when a future ends with an error.
pub fn on_each_driver<F>(make: impl Fn() -> F)
where
    F: Future<Output = io::Result<()>>,
{
    let mut tested = 0;
    for kind in [DriverKind::Epoll, DriverKind::Uring] {
        if let Some(reactor) = reactor(kind) {
            run(&reactor, make()).unwrap_or_else(|error| panic!("on {kind}: {error:?}"));
            tested += 1;
        }
    }
    assert!(tested > 0, "no driver works here");
}

/// A connected pair over loopback.
///
/// # Errors
///
/// When the machine refuses one of the sockets.
pub async fn tcp_pair() -> io::Result<(TcpStream, TcpStream)> {
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let addr = listener.local_addr()?;
    let (there, accepted) = both(TcpStream::connect(addr), listener.accept()).await;
    Ok((accepted?.0, there?))
}

/// A connected pair of Unix streams.
///
/// # Errors
///
/// When the machine refuses one of the sockets.
#[expect(
    clippy::unused_async,
    reason = "called like `tcp_pair`, by doctests that share their text"
)]
pub async fn unix_pair() -> io::Result<(UnixStream, UnixStream)> {
    UnixStream::pair()
}

/// Runs two futures at the same time, to the end of both.
pub async fn both<A: Future, B: Future>(a: A, b: B) -> (A::Output, B::Output) {
    let (mut a, mut b) = (pin!(a), pin!(b));
    let (mut a_out, mut b_out) = (None, None);
    poll_fn(|cx| {
        poll_once(a.as_mut(), &mut a_out, cx);
        poll_once(b.as_mut(), &mut b_out, cx);
        match (a_out.take(), b_out.take()) {
            (Some(a), Some(b)) => Poll::Ready((a, b)),
            (a, b) => {
                (a_out, b_out) = (a, b);
                Poll::Pending
            }
        }
    })
    .await
}

fn poll_once<F: Future>(future: Pin<&mut F>, out: &mut Option<F::Output>, cx: &mut Context<'_>) {
    if out.is_none()
        && let Poll::Ready(output) = future.poll(cx)
    {
        *out = Some(output);
    }
}

/// Polls `future` once, without a waker: for tests that then drop it.
pub fn poll_now<F: Future>(future: Pin<&mut F>) -> Poll<F::Output> {
    future.poll(&mut Context::from_waker(Waker::noop()))
}

/// Gives way to the reactor `turns` times.
pub async fn yield_times(turns: usize) {
    for _ in 0..turns {
        let mut yielded = false;
        poll_fn(|cx| {
            if std::mem::replace(&mut yielded, true) {
                return Poll::Ready(());
            }
            cx.waker().wake_by_ref();
            Poll::Pending
        })
        .await;
    }
}

/// A directory of its own for a test, removed with all that is in it.
#[derive(Debug)]
pub struct Scratch(std::path::PathBuf);

impl Scratch {
    /// A new empty directory.
    ///
    /// # Panics
    ///
    /// When it cannot be made.
    #[must_use]
    #[expect(clippy::new_without_default, reason = "it makes a directory")]
    pub fn new() -> Scratch {
        use std::sync::atomic::AtomicU32;
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let number = COUNT.fetch_add(1, Ordering::Relaxed);
        let name = format!("wakeline-scratch-{}-{number}", std::process::id());
        let path = std::env::temp_dir().join(name);
        let _left = std::fs::remove_dir_all(&path); // by a process of that number
        std::fs::create_dir(&path).expect("a directory in the temporary one");
        Scratch(path)
    }
}

impl std::ops::Deref for Scratch {
    type Target = std::path::Path;

    fn deref(&self) -> &std::path::Path {
        &self.0
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        let _gone = std::fs::remove_dir_all(&self.0);
    }
}
