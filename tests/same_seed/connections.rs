//! Clients who connect and say a number: each is accepted once, in their order.

use std::io::{self, Write as _};
use std::net::{SocketAddr, TcpStream as StdTcpStream};
use std::os::unix::net::UnixStream as StdUnixStream;
use std::path::{Path, PathBuf};
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use crate::moments::Moments;
use crate::notes::{Notes, outcome};
use crate::support::Chance;
use crate::{Played, Script};
use wakeline::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use wakeline::net::{TcpListener, TcpStream, UnixListener, UnixStream};

/// So many clients may wait.
const MOST: usize = 10;

#[derive(Clone, Debug)]
enum Step {
    /// Connects, and once more after a drop.
    Connect(Moments),
    /// And a client who comes meanwhile.
    Accept(Moments),
    /// All who have come are accepted.
    Settle,
}

pub(crate) struct Connections {
    tcp: bool,
    ahead: bool,
    steps: Vec<Step>,
}

pub(crate) fn tcp(chance: &mut Chance) -> Connections {
    script(chance, true)
}

pub(crate) fn unix(chance: &mut Chance) -> Connections {
    script(chance, false)
}

fn script(chance: &mut Chance, tcp: bool) -> Connections {
    let mut steps = Vec::new();
    for n in 1..=12 {
        let moments = Moments::new(chance);
        steps.push(if chance.one_in(2) {
            Step::Connect(moments)
        } else {
            Step::Accept(moments)
        });
        if n % (MOST / 2) == 0 {
            steps.push(Step::Settle);
        }
    }
    steps.push(Step::Settle);
    Connections {
        tcp,
        ahead: chance.one_in(3),
        steps,
    }
}

impl Script for Connections {
    fn play<'a>(&'a self, dir: &'a Path, notes: &'a mut Notes) -> Played<'a> {
        Box::pin(async move {
            if self.tcp {
                let listener = TcpListener::bind("127.0.0.1:0").await?;
                let address = listener.local_addr()?;
                self.all(&Tcp(listener, address), notes).await?;
                // Nobody has this port.
                let refused = TcpStream::connect("127.0.0.1:1").await;
                notes.note(outcome(&refused.map(drop)));
                return Ok(());
            }
            static NUMBER: AtomicU64 = AtomicU64::new(0);
            let number = NUMBER.fetch_add(1, Ordering::Relaxed);
            let path = dir.join(format!("clients-{number}"));
            let listener = UnixListener::bind(&path)?;
            self.all(&Unix(listener, path), notes).await?;
            let missing = UnixStream::connect(dir.join("nobody")).await;
            notes.note(outcome(&missing.map(drop)));
            let directory = UnixStream::connect(dir).await;
            notes.note(outcome(&directory.map(drop)));
            Ok(())
        })
    }
}

/// A listener and its clients.
trait Place: Sync {
    type Stream: AsyncRead + AsyncWrite + Unpin + Send + 'static;
    fn connect(&self) -> impl Future<Output = io::Result<Self::Stream>> + Send;
    fn accept(&self) -> impl Future<Output = io::Result<Self::Stream>> + Send;
    fn accept_ahead(&self);
    /// A client who says `number` at once, and is kept in `clients`.
    fn come(&self, number: u32) -> io::Result<Box<dyn Send>>;
}

struct Tcp(TcpListener, SocketAddr);

impl Place for Tcp {
    type Stream = TcpStream;

    async fn connect(&self) -> io::Result<TcpStream> {
        let stream = TcpStream::connect(self.1).await?;
        // Its close leaves no port behind that nobody can use for a minute.
        stream.set_linger(Some(Duration::ZERO))?;
        Ok(stream)
    }

    async fn accept(&self) -> io::Result<TcpStream> {
        Ok(self.0.accept().await?.0)
    }

    fn accept_ahead(&self) {
        self.0.accept_ahead(4);
    }

    fn come(&self, number: u32) -> io::Result<Box<dyn Send>> {
        let mut client = StdTcpStream::connect(self.1)?;
        socket2::SockRef::from(&client).set_linger(Some(Duration::ZERO))?;
        client.write_all(&number.to_le_bytes())?;
        Ok(Box::new(client))
    }
}

struct Unix(UnixListener, PathBuf);

impl Place for Unix {
    type Stream = UnixStream;

    async fn connect(&self) -> io::Result<UnixStream> {
        UnixStream::connect(&self.1).await
    }

    async fn accept(&self) -> io::Result<UnixStream> {
        Ok(self.0.accept().await?.0)
    }

    fn accept_ahead(&self) {
        self.0.accept_ahead(4);
    }

    fn come(&self, number: u32) -> io::Result<Box<dyn Send>> {
        let mut client = StdUnixStream::connect(&self.1)?;
        client.write_all(&number.to_le_bytes())?;
        Ok(Box::new(client))
    }
}

/// What an accepted stream says; nothing, if the connect was dropped.
async fn number<S: AsyncRead + Unpin>(mut stream: S) -> Option<u32> {
    let mut bytes = [0; 4];
    let said = stream.read_exact(&mut bytes).await;
    said.is_ok().then(|| u32::from_le_bytes(bytes))
}

impl Connections {
    async fn all<P: Place>(&self, place: &P, notes: &mut Notes) -> io::Result<()> {
        if self.ahead {
            place.accept_ahead();
        }
        let clients: Mutex<Vec<Box<dyn Send>>> = Mutex::default();
        let keep = |client: Box<dyn Send>| clients.lock().expect("no panic").push(client);
        let (mut came, mut accepted) = (0, 0);
        for step in &self.steps {
            match step {
                Step::Connect(moments) => {
                    let connected = match moments.live(place.connect(), || {}).await {
                        Some(connected) => connected,
                        None => place.connect().await,
                    };
                    let mut client = connected?;
                    client.write_all(&u32::to_le_bytes(came)).await?;
                    came += 1;
                    keep(Box::new(client));
                }
                Step::Accept(moments) => {
                    let come = || keep(place.come(came).expect("the backlog has room"));
                    if let Some(stream) = moments.live(place.accept(), come).await
                        && let Some(number) = number(stream?).await
                    {
                        notes.note(format!("client {number}"));
                        accepted += 1;
                    }
                    came += 1;
                }
                Step::Settle => {
                    while accepted < came {
                        if let Some(number) = number(place.accept().await?).await {
                            notes.note(format!("client {number}"));
                            accepted += 1;
                        }
                    }
                    clients.lock().expect("no panic").clear();
                }
            }
        }
        Ok(())
    }
}
