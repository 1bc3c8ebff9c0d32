//! The accept loop as a library: what every server gets wrong by itself.
//!
//! [`serve`] accepts connections and runs a handler for each, until told to
//! stop. What it adds to `loop { accept; spawn }`:
//!
//! ```text
//!   what happens                             what serve does
//!   ────────────                             ───────────────
//!   accept: too many open files, no memory   waits 10 ms, 20 ms .. 1 s; tries at once when one of
//!                                            its own connections ends. Those waiting stay in the
//!                                            kernel's backlog and are served when there is room
//!   accept: this peer is gone already        takes the next
//!   accept: the socket itself is broken      ends, and says so in the report
//!   as many connections as allowed           accepts nothing until one ends
//!   a handler fails or panics                counts it, reports it, goes on
//!   told to stop                             takes who has connected already, stops listening,
//!                                            waits for the open ones, aborts the rest after the grace
//! ```
//!
//! [`policy`] holds the decisions as plain data, [`reserve`] the descriptor put
//! aside for hard times, `report` what comes out at the end; `server` carries
//! the decisions out. One task runs the loop and owns the connections' handles;
//! a connection that ends leaves its number in a list and wakes the loop.
//!
//! Dropping the future that [`serve`] gives aborts its connections: none of
//! them outlives it.

mod connection;
mod listener;
mod policy;
mod report;
mod reserve;
mod server;

use std::fmt;
use std::future::{Future, IntoFuture, pending};
use std::io;
use std::panic::Location;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

pub use listener::Listener;
pub use report::{ServeError, ServeReport};
use server::Server;

/// Accepts connections from `listener` and runs `handler` for each as a task.
///
/// The listener is bound already, so its address can be told before a client
/// is awaited. Nothing happens until the result is awaited; it ends when the
/// future given to [`with_shutdown`](Serve::with_shutdown) does.
///
/// Each connection is a task of its own, so its handler does not hear the token that is
/// in force here (see [`spawn`](crate::spawn)): to have it end with that, give it one, by
/// [`with_token`](crate::FutureExt::with_token).
///
/// # Cancellation
///
/// Dropping the future stops listening and aborts the open connections.
///
/// # Example
///
/// ```
/// use wakeline::io::{AsyncReadExt, AsyncWriteExt};
/// use wakeline::net::{TcpListener, TcpStream, serve};
///
/// # fn main() -> std::io::Result<()> {
/// let runtime = wakeline::Runtime::builder().workers(1).build()?;
/// let report = runtime.block_on(async {
///     let listener = TcpListener::bind("127.0.0.1:0").await?;
///     let address = listener.local_addr()?;
///
///     // One client, after which the server stops.
///     let client = wakeline::spawn(async move {
///         let mut stream = TcpStream::connect(address).await?;
///         stream.write_all(b"hello").await?;
///         let mut answer = [0; 5];
///         stream.read_exact(&mut answer).await?;
///         assert_eq!(&answer, b"hello");
///         std::io::Result::Ok(())
///     });
///     let report = serve(listener, |mut stream: TcpStream, _peer| async move {
///         let mut buf = [0; 64];
///         let n = stream.read(&mut buf).await?;
///         stream.write_all(&buf[..n]).await
///     })
///     .max_connections(100)
///     .with_shutdown(async { client.await.unwrap().unwrap() })
///     .await;
///     std::io::Result::Ok(report)
/// })?;
/// assert_eq!((report.accepted, report.finished), (1, 1));
/// # Ok(())
/// # }
/// ```
///
/// What it gives is no future by itself, but what `.await` makes one of. Where a
/// future is asked for, as by [`spawn`](crate::spawn), say so:
///
/// ```
/// use std::future::IntoFuture;
/// use wakeline::net::{TcpListener, TcpStream, serve};
///
/// # fn main() -> std::io::Result<()> {
/// wakeline::block_on(async {
///     let listener = TcpListener::bind("127.0.0.1:0").await?;
///     let (stop, stopped) = wakeline::sync::oneshot::channel();
///     let server = serve(listener, |_: TcpStream, _peer| async { Ok(()) })
///         .with_shutdown(async { stopped.await.unwrap_or_default() });
///     let server = wakeline::spawn(server.into_future());
///     stop.send(()).expect("the server waits for it");
///     assert_eq!(server.await.expect("no panic").accepted, 0);
///     Ok(())
/// })
/// # }
/// ```
#[must_use = "nothing is accepted until this is awaited"]
#[track_caller]
pub fn serve<L, H, F>(listener: L, handler: H) -> Serve<L, H>
where
    L: Listener,
    H: Fn(L::Stream, L::Peer) -> F + Send + Sync + 'static,
    F: Future<Output = io::Result<()>> + Send + 'static,
{
    Serve {
        listener,
        handler,
        max_connections: usize::MAX,
        grace: Duration::from_secs(10),
        shed_after: None,
        on_error: Arc::new(report::tell_runtime),
        shutdown: Box::pin(pending()),
        location: Location::caller(),
    }
}

/// A server to be: choices first, then `.await`.
#[must_use = "nothing is accepted until this is awaited"]
pub struct Serve<L, H> {
    listener: L,
    handler: H,
    max_connections: usize,
    grace: Duration,
    shed_after: Option<Duration>,
    on_error: OnError,
    shutdown: Pin<Box<dyn Future<Output = ()> + Send>>,
    location: &'static Location<'static>,
}

pub(crate) type OnError = Arc<dyn Fn(&ServeError) + Send + Sync>;

impl<L, H> Serve<L, H> {
    /// At most `connections` at once (at least 1); others wait in the backlog.
    ///
    /// Without this the limit of descriptors is the limit.
    pub fn max_connections(mut self, connections: usize) -> Self {
        self.max_connections = connections;
        self
    }

    /// How long open connections may take once the server stops: 10 s unless
    /// said otherwise. Those still open then are aborted.
    pub fn grace(mut self, grace: Duration) -> Self {
        self.grace = grace;
        self
    }

    /// Is told each error, on the thread it happened on: of `accept` (as often
    /// as it is tried, so once a second in the long run) and of handlers,
    /// panics included. What it panics with itself is dropped.
    ///
    /// Without it the runtime is told, as of a task's failure that nobody has looked at:
    /// [`Builder::on_unobserved`](crate::Builder::on_unobserved) of panics and of `accept`,
    /// and debug mode of what handlers return, too.
    pub fn on_error(mut self, hook: impl Fn(&ServeError) + Send + Sync + 'static) -> Self {
        self.on_error = Arc::new(hook);
        self
    }

    /// Stops the server when `shutdown` is ready.
    pub fn with_shutdown(mut self, shutdown: impl Future<Output = ()> + Send + 'static) -> Self {
        self.shutdown = Box::pin(shutdown);
        self
    }

    /// After so long without a descriptor, turns waiting clients away: they
    /// are accepted on the reserve descriptor and closed.
    ///
    /// Without this they wait in the backlog until there is room, which is
    /// right where a shortage passes and clients have time-outs of their own.
    pub fn shed_after(mut self, starved: Duration) -> Self {
        self.shed_after = Some(starved);
        self
    }
}

impl<L: Listener, H> Serve<L, H> {
    /// Where clients connect to.
    ///
    /// # Errors
    ///
    /// As the listener's own method: the system's.
    pub fn local_name(&self) -> io::Result<String> {
        self.listener.local_name()
    }
}

impl<L: Listener, H> fmt::Debug for Serve<L, H> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Serve")
            .field("listener", &self.listener.local_name())
            .field("max_connections", &self.max_connections)
            .field("grace", &self.grace)
            .field("shed_after", &self.shed_after)
            .finish_non_exhaustive()
    }
}

impl<L, H, F> IntoFuture for Serve<L, H>
where
    L: Listener,
    H: Fn(L::Stream, L::Peer) -> F + Send + Sync + 'static,
    F: Future<Output = io::Result<()>> + Send + 'static,
{
    type Output = ServeReport;
    type IntoFuture = Pin<Box<dyn Future<Output = ServeReport> + Send>>;

    fn into_future(self) -> Self::IntoFuture {
        Box::pin(async move {
            let mut server = Server::new(
                self.listener,
                self.handler,
                self.max_connections,
                self.on_error,
                self.location,
            );
            server.shed_after = self.shed_after;
            server.run(self.shutdown).await;
            server.drain(self.grace).await
        })
    }
}
