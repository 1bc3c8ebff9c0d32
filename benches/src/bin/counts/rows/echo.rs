//! Messages of 64 bytes on 50 connections, sent back.
//!
//! The other ends are blocking sockets of the same thread: all 50 messages are
//! written, then the server's tasks run until each has answered, then all
//! answers are read. So every run takes the same turns. The two system calls
//! of the other end are in the figure, at some dozens of instructions.

use std::cell::{Cell, RefCell};
use std::future::poll_fn;
use std::io::{Error, ErrorKind, Read, Write};
use std::net::{Ipv4Addr, TcpListener};
use std::os::unix::net::UnixStream;
use std::rc::Rc;
use std::task::{Poll, Waker};

use wakeline::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use wakeline::{Driver, net, spawn_local};

const CONNECTIONS: u64 = 50;
const SIZE: usize = 64;

pub(super) fn tcp_epoll(ops: u64) -> Result<(), Error> {
    tcp(Driver::Epoll, ops)
}

pub(super) fn tcp_uring(ops: u64) -> Result<(), Error> {
    tcp(Driver::Uring, ops)
}

pub(super) fn unix_epoll(ops: u64) -> Result<(), Error> {
    unix(Driver::Epoll, ops)
}

pub(super) fn unix_uring(ops: u64) -> Result<(), Error> {
    unix(Driver::Uring, ops)
}

fn tcp(driver: Driver, ops: u64) -> Result<(), Error> {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
    let mut pairs = Vec::new();
    for _ in 0..CONNECTIONS {
        let near = std::net::TcpStream::connect(listener.local_addr()?)?;
        near.set_nodelay(true)?;
        pairs.push((near, listener.accept()?.0));
    }
    echo(driver, ops, pairs, net::TcpStream::from_std)
}

fn unix(driver: Driver, ops: u64) -> Result<(), Error> {
    let pairs = (0..CONNECTIONS).map(|_| UnixStream::pair());
    let pairs = pairs.collect::<Result<_, _>>()?;
    echo(driver, ops, pairs, net::UnixStream::from_std)
}

/// Answers since the last look, and who waits for them.
#[derive(Default)]
struct Answered {
    count: Cell<u64>,
    waiting: RefCell<Option<Waker>>,
}

impl Answered {
    fn one(&self) {
        self.count.set(self.count.get() + 1);
        if self.count.get() == CONNECTIONS
            && let Some(waker) = self.waiting.take()
        {
            waker.wake();
        }
    }

    async fn all(&self) {
        poll_fn(|cx| {
            if self.count.get() < CONNECTIONS {
                self.waiting.replace(Some(cx.waker().clone()));
                return Poll::Pending;
            }
            self.count.set(0);
            Poll::Ready(())
        })
        .await;
    }
}

async fn serve<S: AsyncRead + AsyncWrite + Unpin>(mut stream: S, answered: Rc<Answered>) {
    let mut bytes = [0; SIZE];
    while let Ok(n @ 1..) = stream.read(&mut bytes).await {
        stream
            .write_all(&bytes[..n])
            .await
            .expect("room for 64 bytes");
        answered.one();
    }
}

fn echo<C, S>(
    driver: Driver,
    ops: u64,
    pairs: Vec<(C, C)>,
    stream: fn(C) -> Result<S, Error>,
) -> Result<(), Error>
where
    C: Read + Write + 'static,
    S: AsyncRead + AsyncWrite + Unpin + 'static,
{
    super::on_one_worker(driver, async move {
        let answered = Rc::new(Answered::default());
        let mut clients = Vec::new();
        for (near, far) in pairs {
            clients.push(near);
            drop(spawn_local(serve(stream(far)?, Rc::clone(&answered))));
        }
        for _ in 0..ops / CONNECTIONS {
            for client in &mut clients {
                client.write_all(&[7; SIZE])?;
            }
            answered.all().await;
            for client in &mut clients {
                let mut bytes = [0; SIZE];
                client.read_exact(&mut bytes)?;
                if bytes != [7; SIZE] {
                    return Err(ErrorKind::InvalidData.into());
                }
            }
        }
        Ok(())
    })?
}
