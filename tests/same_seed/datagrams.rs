//! Datagrams: each arrives once, whole, and in its order.

use std::io;
use std::os::fd::{AsFd, BorrowedFd};
use std::path::Path;
use std::pin::pin;

use crate::moments::Moments;
use crate::notes::{Notes, told};
use crate::support::Chance;
use crate::support::drops::poll_once;
use crate::{Played, Script};
use wakeline::net::{UdpSocket, UnixDatagram};

/// So many may lie in a socket: fewer than any system allows.
const MOST: usize = 6;
/// Larger than any of them.
const ROOM: usize = 2_048;

#[derive(Clone, Debug)]
enum Step {
    Send(Vec<u8>, Moments),
    /// And what arrives meanwhile.
    Receive(Vec<u8>, Moments),
    /// All that was sent is received.
    Settle,
    /// More than there is room for, sent and received at once.
    Flood(Vec<Vec<u8>>, Moments),
}

pub(crate) struct Datagrams {
    udp: bool,
    steps: Vec<Step>,
}

pub(crate) fn udp(chance: &mut Chance) -> Datagrams {
    script(chance, true)
}

pub(crate) fn unix(chance: &mut Chance) -> Datagrams {
    script(chance, false)
}

fn script(chance: &mut Chance, udp: bool) -> Datagrams {
    let (mut steps, mut outstanding) = (Vec::new(), 0);
    for _ in 0..24 {
        if outstanding == MOST {
            steps.push(Step::Settle);
            outstanding = 0;
        }
        let moments = Moments::new(chance);
        // Where one can be lost, none is sent that there is no room for.
        if !udp && outstanding == 0 && chance.one_in(10) {
            let bytes = (0..600).map(|_| message(chance)).collect();
            steps.push(Step::Flood(bytes, moments));
            continue;
        }
        outstanding += 1;
        steps.push(if chance.one_in(3) {
            Step::Send(message(chance), moments)
        } else {
            Step::Receive(message(chance), moments)
        });
    }
    steps.push(Step::Settle);
    Datagrams { udp, steps }
}

/// Not empty: one that is could be taken for none.
fn message(chance: &mut Chance) -> Vec<u8> {
    let mut bytes = vec![0; 1 + chance.below(100) as usize];
    chance.fill(&mut bytes);
    bytes
}

impl Script for Datagrams {
    fn play<'a>(&'a self, _: &'a Path, notes: &'a mut Notes) -> Played<'a> {
        Box::pin(async move {
            if !self.udp {
                let (here, there) = UnixDatagram::pair()?;
                return self.all(&here, &there, notes).await;
            }
            let here = UdpSocket::bind("127.0.0.1:0").await?;
            let there = UdpSocket::bind("127.0.0.1:0").await?;
            here.connect(there.local_addr()?).await?;
            there.connect(here.local_addr()?).await?;
            self.all(&here, &there, notes).await
        })
    }
}

/// A socket that knows where to send.
trait Socket: AsFd + Sync {
    fn send<'a>(&'a self, bytes: &'a [u8]) -> impl Future<Output = io::Result<usize>> + Send + 'a;
    fn recv<'a>(&'a self, buf: &'a mut [u8])
    -> impl Future<Output = io::Result<usize>> + Send + 'a;
}

macro_rules! socket {
    ($type:ty) => {
        impl Socket for $type {
            fn send<'a>(
                &'a self,
                bytes: &'a [u8],
            ) -> impl Future<Output = io::Result<usize>> + Send + 'a {
                self.send(bytes)
            }

            fn recv<'a>(
                &'a self,
                buf: &'a mut [u8],
            ) -> impl Future<Output = io::Result<usize>> + Send + 'a {
                self.recv(buf)
            }
        }
    };
}

socket!(UdpSocket);
socket!(UnixDatagram);

impl Datagrams {
    async fn all<S: Socket>(&self, here: &S, there: &S, notes: &mut Notes) -> io::Result<()> {
        let (mut sent, mut received) = (0, 0);
        for step in &self.steps {
            match step {
                Step::Send(bytes, moments) => {
                    send(here, bytes, moments).await?;
                    sent += 1;
                }
                Step::Receive(bytes, moments) => {
                    let mut buf = [0; ROOM];
                    let arrive = || by_hand(here.as_fd(), bytes);
                    if let Some(n) = moments.live(there.recv(&mut buf), arrive).await {
                        notes.note(told(&buf[..n?]));
                        received += 1;
                    }
                    sent += 1;
                }
                Step::Settle => {
                    receive(there, sent - received, notes).await?;
                    received = sent;
                }
                Step::Flood(all, moments) => {
                    let sending = async {
                        for bytes in all {
                            send(here, bytes, moments).await?;
                        }
                        io::Result::Ok(())
                    };
                    let receiving = receive(there, all.len(), notes);
                    let (sent, received) = wakeline::join!(sending, receiving);
                    sent?;
                    received?;
                }
            }
        }
        let mut buf = [0; ROOM];
        let more = pin!(there.recv(&mut buf));
        let more = poll_once(more).await.is_ready();
        notes.note(format!("more than was sent: {more}"));
        Ok(())
    }
}

/// A dropped send has sent nothing.
async fn send<S: Socket>(socket: &S, bytes: &[u8], moments: &Moments) -> io::Result<()> {
    let sent = match moments.live(socket.send(bytes), || {}).await {
        Some(sent) => sent?,
        None => socket.send(bytes).await?,
    };
    assert_eq!(sent, bytes.len());
    Ok(())
}

async fn receive<S: Socket>(socket: &S, count: usize, notes: &mut Notes) -> io::Result<()> {
    for _ in 0..count {
        let mut buf = [0; ROOM];
        let n = socket.recv(&mut buf).await?;
        notes.note(told(&buf[..n]));
    }
    Ok(())
}

fn by_hand(socket: BorrowedFd<'_>, bytes: &[u8]) {
    let sent = rustix::net::send(socket, bytes, rustix::net::SendFlags::empty());
    assert_eq!(sent, Ok(bytes.len()), "there is room");
}
