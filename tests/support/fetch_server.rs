//! A server that answers as badly as it is told, on plain threads: nothing of the runtime is in it.
//!
//! `Server::start` gives each connection a thread, reads requests, and lets the script answer on
//! the raw stream. It counts connections and requests. Dropping it ends every thread: the
//! listener is woken by a connection, the others by a shutdown of their sockets.

use std::{
    io::{self, Read, Write},
    net::{Shutdown, SocketAddr, TcpListener, TcpStream},
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
    thread::{self, JoinHandle},
    time::Duration,
};

/// What a script answers on: plain, or TLS.
pub(crate) trait Wire: Read + Write {}
impl<T: Read + Write> Wire for T {}

/// One request as it came.
#[derive(Clone, Debug)]
pub(crate) struct Request {
    pub(crate) path: String,
    pub(crate) head: String,
    /// How many requests came before it on the same connection.
    pub(crate) earlier: usize,
}

impl Request {
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.head.lines().find_map(|line| {
            let (found, value) = line.split_once(':')?;
            found.eq_ignore_ascii_case(name).then(|| value.trim())
        })
    }
}

/// What the script wants after its answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Then {
    /// Read another request.
    Keep,
    Close,
    /// Answer no more, and wait until the client has had enough.
    Stall,
    /// Close, under TLS without to say so: as who is in the middle would cut it.
    Cut,
    /// Close with a reset.
    Reset,
}

type Script = dyn Fn(&Request, &mut dyn Wire) -> io::Result<Then> + Send + Sync;

#[derive(Default)]
struct Shared {
    stop: AtomicBool,
    connections: AtomicUsize,
    requests: AtomicUsize,
    open: Mutex<Vec<TcpStream>>,
    threads: Mutex<Vec<JoinHandle<()>>>,
}

pub(crate) struct Server {
    addr: SocketAddr,
    shared: Arc<Shared>,
    acceptor: Option<JoinHandle<()>>,
    scheme: &'static str,
}

impl Server {
    /// A plain server; `script` answers each request.
    pub(crate) fn start(
        script: impl Fn(&Request, &mut dyn Wire) -> io::Result<Then> + Send + Sync + 'static,
    ) -> Server {
        Server::run("http", Arc::new(script), |tcp, talk| talk(&mut &*tcp))
    }

    /// The same behind TLS.
    pub(crate) fn start_tls(
        settings: Arc<rustls::ServerConfig>,
        script: impl Fn(&Request, &mut dyn Wire) -> io::Result<Then> + Send + Sync + 'static,
    ) -> Server {
        Server::run("https", Arc::new(script), move |tcp, talk| {
            let session =
                rustls::ServerConnection::new(Arc::clone(&settings)).map_err(io::Error::other)?;
            let mut tls = rustls::StreamOwned::new(session, tcp);
            let then = talk(&mut tls)?;
            if then == Then::Close {
                tls.conn.send_close_notify();
                tls.flush()?;
            }
            Ok(then)
        })
    }

    fn run<W>(scheme: &'static str, script: Arc<Script>, wrap: W) -> Server
    where
        W: Fn(&TcpStream, &mut dyn FnMut(&mut dyn Wire) -> io::Result<Then>) -> io::Result<Then>
            + Send
            + Sync
            + 'static,
    {
        let listener = TcpListener::bind("127.0.0.1:0").expect("bind a port on loopback");
        let addr = listener.local_addr().expect("address of the listener");
        let shared = Arc::new(Shared::default());
        let (ours, wrap) = (Arc::clone(&shared), Arc::new(wrap));
        let acceptor = thread::spawn(move || {
            for tcp in listener.incoming().flatten() {
                if ours.stop.load(Ordering::SeqCst) {
                    return;
                }
                ours.connections.fetch_add(1, Ordering::SeqCst);
                ours.open
                    .lock()
                    .unwrap()
                    .push(tcp.try_clone().expect("clone the socket"));
                let (shared, script, wrap) =
                    (Arc::clone(&ours), Arc::clone(&script), Arc::clone(&wrap));
                let thread = thread::spawn(move || {
                    // Bounds every wait; the client's own limits are far below.
                    tcp.set_read_timeout(Some(Duration::from_secs(30)))
                        .expect("set a read timeout");
                    let then = wrap(&tcp, &mut |wire| converse(&shared, &*script, wire));
                    match then {
                        Ok(Then::Reset) => {
                            let socket = socket2::SockRef::from(&tcp);
                            socket.set_linger(Some(Duration::ZERO)).expect("set linger");
                            // The clone in `open` would keep the socket from closing.
                            let peer = tcp.peer_addr();
                            shared.open.lock().unwrap().retain(|open| {
                                open.peer_addr().ok() != peer.as_ref().ok().copied()
                            });
                        }
                        // A client that went away is no error of the server.
                        _ => drop(tcp.shutdown(Shutdown::Both)),
                    }
                });
                ours.threads.lock().unwrap().push(thread);
            }
        });
        Server {
            addr,
            shared,
            acceptor: Some(acceptor),
            scheme,
        }
    }

    pub(crate) fn url(&self, path: &str) -> String {
        format!("{}://{}{path}", self.scheme, self.addr)
    }

    /// The same server under its name instead of its address.
    pub(crate) fn named_url(&self, path: &str) -> String {
        format!("{}://localhost:{}{path}", self.scheme, self.addr.port())
    }

    pub(crate) fn connections(&self) -> usize {
        self.shared.connections.load(Ordering::SeqCst)
    }

    pub(crate) fn requests(&self) -> usize {
        self.shared.requests.load(Ordering::SeqCst)
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.shared.stop.store(true, Ordering::SeqCst);
        drop(TcpStream::connect(self.addr));
        if let Some(acceptor) = self.acceptor.take() {
            acceptor.join().expect("the acceptor did not panic");
        }
        for open in self.shared.open.lock().unwrap().drain(..) {
            drop(open.shutdown(Shutdown::Both));
        }
        for thread in self.shared.threads.lock().unwrap().drain(..) {
            thread.join().expect("no script panicked");
        }
    }
}

/// Requests and answers until the script or the client wants no more.
fn converse(shared: &Shared, script: &Script, wire: &mut dyn Wire) -> io::Result<Then> {
    for earlier in 0.. {
        let Some(request) = read_request(wire, earlier)? else {
            return Ok(Then::Close);
        };
        shared.requests.fetch_add(1, Ordering::SeqCst);
        let then = script(&request, wire)?;
        wire.flush()?;
        match then {
            Then::Keep => {}
            Then::Stall => {
                // Ends when the client closes, or at the socket's read timeout.
                while read(wire, &mut [0; 64])? > 0 {}
                return Ok(Then::Close);
            }
            Then::Close | Then::Cut | Then::Reset => return Ok(then),
        }
    }
    unreachable!("the loop has no end")
}

/// A read with a time limit is not restarted when the process was stopped.
fn read(wire: &mut dyn Wire, buf: &mut [u8]) -> io::Result<usize> {
    loop {
        match wire.read(buf) {
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            other => return other,
        }
    }
}

fn read_request(wire: &mut dyn Wire, earlier: usize) -> io::Result<Option<Request>> {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        let mut byte = [0];
        if read(wire, &mut byte)? == 0 {
            return Ok(None);
        }
        head.push(byte[0]);
        if head == [0x16] {
            // A TLS handshake at a plain port: no text, so it is not read to any end.
            return Ok(Some(Request {
                path: "(TLS)".into(),
                head: String::new(),
                earlier,
            }));
        }
        assert!(head.len() < 64 * 1024, "the client's head does not end");
    }
    let head = String::from_utf8(head).expect("the client's head is text");
    let path = head.split(' ').nth(1).expect("a request line").to_owned();
    Ok(Some(Request {
        path,
        head,
        earlier,
    }))
}

/// A complete answer with this body, after which the connection can be kept.
pub(crate) fn answer(wire: &mut dyn Wire, extra: &str, body: &[u8]) -> io::Result<Then> {
    let mut bytes = format!(
        "HTTP/1.1 200 OK\r\nContent-Length: {}\r\n{extra}\r\n",
        body.len()
    )
    .into_bytes();
    bytes.extend_from_slice(body);
    wire.write_all(&bytes)?;
    Ok(Then::Keep)
}
