//! A socket that somebody else has put into blocking mode (a child process that was given
//! a duplicate, say) holds no thread.

use rustix::io::ioctl_fionbio;
use socket2::SockRef;
use std::io::{IoSliceMut, Result, copy, sink};
use std::os::fd::{AsFd, OwnedFd};
use std::sync::mpsc::{Sender, channel};
use std::thread::{JoinHandle, spawn};
use std::time::Duration;
use wakeline_net::testing::{both, on_each_driver, tcp_pair, yield_times};
use wakeline_net::{UdpSocket, UnixDatagram};

/// Far more than it takes.
const PATIENCE: Duration = Duration::from_secs(20);

/// Ends what blocks, late, in a way that the test does not expect.
struct Watchdog {
    alive: Sender<()>,
    thread: JoinHandle<()>,
}

impl Watchdog {
    /// Of `here`, which is put into blocking mode; `end` gets a duplicate of `there`.
    fn of(
        here: impl AsFd,
        there: impl AsFd,
        end: impl FnOnce(OwnedFd) + Send + 'static,
    ) -> Result<Watchdog> {
        ioctl_fionbio(&here, false)?;
        let there = there.as_fd().try_clone_to_owned()?;
        let (alive, heard) = channel();
        let thread = spawn(move || {
            if heard.recv_timeout(PATIENCE).is_err() {
                end(there);
            }
        });
        Ok(Watchdog { alive, thread })
    }

    fn dismiss(self) {
        let _ = self.alive.send(());
        self.thread.join().unwrap();
    }
}

fn say_late(there: OwnedFd) {
    let _ = SockRef::from(&there).send(b"late");
}

/// Takes what somebody else is to read.
fn swallow(there: OwnedFd) {
    let _ = ioctl_fionbio(&there, false);
    let _ = copy(&mut std::fs::File::from(there), &mut sink());
}

macro_rules! reads {
    ($here:expr, $there:expr) => {{
        let (here, there) = ($here, $there);
        let watchdog = Watchdog::of(&here, &there, say_late)?;
        for round in 0..6 {
            // It fills the buffer: there may be more, and the next one tries.
            there.write(b"full").await?;
            let mut buf = [0; 4];
            assert_eq!(here.read(&mut buf).await?, 4);
            let later = async {
                yield_times(3).await;
                there.write(b"soon").await
            };
            let mut rest = [0; 4];
            let reading = async {
                match round % 3 {
                    0 => here.read(&mut buf).await,
                    1 => {
                        let mut bufs = [IoSliceMut::new(&mut buf), IoSliceMut::new(&mut rest)];
                        here.read_vectored(&mut bufs).await
                    }
                    _ => {
                        let (n, owned) = here.read_owned(Vec::with_capacity(4)).await;
                        buf.copy_from_slice(&owned);
                        n
                    }
                }
            };
            let (read, written) = both(reading, later).await;
            written?;
            assert_eq!((read?, &buf), (4, b"soon"), "round {round}");
        }
        watchdog.dismiss();
    }};
}

#[test]
fn a_read_of_a_stream_lets_others_run() {
    on_each_driver(|| async {
        let (here, there) = tcp_pair().await?;
        reads!(here, there);
        let (here, there) = wakeline_net::UnixStream::pair()?;
        reads!(here, there);
        Ok(())
    });
}

macro_rules! writes {
    ($here:expr, $there:expr) => {{
        let (here, mut there) = ($here, $there);
        let bytes = vec![7; 8 << 20];
        let mut sent = 0;
        let watchdog = Watchdog::of(&here, &there, swallow)?;
        let writing = async {
            while sent < bytes.len() {
                sent += here.write(&bytes[sent..]).await?;
            }
            here.shutdown(std::net::Shutdown::Write)
        };
        // Nobody but this thread reads.
        let reading = async {
            let mut all = Vec::new();
            wakeline_net::io::AsyncReadExt::read_to_end(&mut there, &mut all).await?;
            Ok::<usize, std::io::Error>(all.len())
        };
        let (written, read) = both(writing, reading).await;
        written?;
        assert_eq!(read?, bytes.len());
        watchdog.dismiss();
    }};
}

#[test]
fn a_write_to_a_stream_lets_others_run() {
    on_each_driver(|| async {
        let (here, there) = tcp_pair().await?;
        writes!(here, there);
        let (here, there) = wakeline_net::UnixStream::pair()?;
        writes!(here, there);
        Ok(())
    });
}

macro_rules! receives {
    ($here:expr, $there:expr) => {{
        let (here, there) = ($here, $there);
        let watchdog = Watchdog::of(&here, &there, say_late)?;
        for round in 0..2 {
            there.send(b"full").await?;
            let mut buf = [0; 4];
            assert_eq!(here.recv(&mut buf).await?, 4);
            let later = async {
                yield_times(3).await;
                there.send(b"soon").await
            };
            let receiving = async {
                match round {
                    0 => here.recv(&mut buf).await,
                    _ => here.recv_from(&mut buf).await.map(|(n, _)| n),
                }
            };
            let (received, sent) = both(receiving, later).await;
            sent?;
            assert_eq!((received?, &buf), (4, b"soon"), "round {round}");
        }
        watchdog.dismiss();
    }};
}

#[test]
fn a_receive_of_datagrams_lets_others_run() {
    on_each_driver(|| async {
        let here = UdpSocket::bind("127.0.0.1:0").await?;
        let there = UdpSocket::bind("127.0.0.1:0").await?;
        here.connect(there.local_addr()?).await?;
        there.connect(here.local_addr()?).await?;
        receives!(here, there);
        let (here, there) = UnixDatagram::pair()?;
        receives!(here, there);
        Ok(())
    });
}
