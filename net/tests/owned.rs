//! Streams read and write buffers that they own for the time.

use std::future::Future;
use std::io::{self, Read, Write};
use std::os::fd::OwnedFd;
use std::pin::pin;
use std::sync::LazyLock;
use std::sync::mpsc::Sender;
use std::task::{Context, Poll, Waker};
use std::time::Duration;
use wakeline_net::io::{AsyncReadExt, IoBuf};
use wakeline_net::testing::{on_each_driver, reactor, run, tcp_pair};
use wakeline_net::{TcpStream, UnixStream};
use wakeline_reactor::DriverKind;
use wakeline_reactor::time::sleep;

fn poll_once<F: Future + Unpin>(future: &mut F) -> Poll<F::Output> {
    pin!(future).poll(&mut Context::from_waker(Waker::noop()))
}

fn unix_pair() -> io::Result<(UnixStream, std::os::unix::net::UnixStream)> {
    let (here, there) = std::os::unix::net::UnixStream::pair()?;
    Ok((UnixStream::from_std(here)?, there))
}

#[test]
fn a_cancelled_read_gives_the_buffer_and_leaves_the_bytes() {
    on_each_driver(async || {
        let (unix, mut peer) = unix_pair()?;
        let (tcp, tcp_peer) = tcp_pair().await?;
        let mut tcp_peer = tcp_peer.into_std()?;

        let mut reading = unix.read_owned(Vec::with_capacity(100));
        assert!(poll_once(&mut reading).is_pending());
        peer.write_all(b"hello")?;
        let (result, buf) = reading.cancel().await;
        assert_eq!(result.unwrap_err().raw_os_error(), Some(libc_ecanceled()));
        assert_eq!((buf.len(), buf.capacity()), (0, 100));
        let (result, buf) = unix.read_owned(buf).await;
        assert_eq!((result?, &buf[..]), (5, &b"hello"[..]));

        let mut reading = tcp.read_vectored_owned(vec![Vec::with_capacity(8)]);
        assert!(poll_once(&mut reading).is_pending());
        tcp_peer.write_all(b"hello")?;
        let (result, bufs) = reading.cancel().await;
        assert!(result.is_err() && bufs[0].is_empty());
        let (result, bufs) = tcp.read_vectored_owned(bufs).await;
        assert_eq!((result?, &bufs[0][..]), (5, &b"hello"[..]));

        drop(peer);
        let (end, buf) = unix.read_owned(buf).await;
        assert_eq!((end?, buf.len()), (0, 5), "the end takes no room");
        let (nothing, _) = tcp.read_owned(Vec::new()).await;
        assert_eq!(nothing?, 0, "no room, and no wait");
        Ok(())
    });
}

fn libc_ecanceled() -> i32 {
    rustix::io::Errno::CANCELED.raw_os_error()
}

/// As many bytes as no socket takes at once.
const MUCH: usize = 16 << 20;

fn pattern() -> Vec<u8> {
    static PATTERN: LazyLock<Vec<u8>> =
        LazyLock::new(|| (0..MUCH).map(|place| (place % 251) as u8).collect());
    PATTERN.clone()
}

/// Cancels a large write in the middle and writes something else: the peer
/// reads the told prefix and then that.
async fn cancel_in_the_middle<S>(
    stream: &S,
    peer: OwnedFd,
    write: impl AsyncFn(&S, &Sender<()>) -> io::Result<usize>,
    then: impl AsyncFn(&S) -> io::Result<()>,
) -> io::Result<()> {
    // What is lent comes back only when the peer reads.
    let (go, may_read) = std::sync::mpsc::channel();
    let reader = std::thread::spawn(move || {
        may_read.recv().expect("the writer lives");
        let mut all = Vec::new();
        std::fs::File::from(peer).read_to_end(&mut all).map(|_| all)
    });
    let sent = write(stream, &go).await?;
    assert!(0 < sent && sent < MUCH, "{sent} bytes were sent");
    then(stream).await?;
    let all = reader.join().expect("the reader")?;
    let (prefix, rest) = all.split_at(sent);
    assert!(prefix == &pattern()[..sent], "the prefix is as told");
    assert_eq!(rest, b"end", "and the next write follows it");
    Ok(())
}

#[test]
fn a_cancelled_write_tells_its_prefix_and_the_next_one_follows_it() {
    on_each_driver(async || {
        for zero_copy in [false, true] {
            let (tcp, peer) = tcp_pair().await?;
            let write = async |tcp: &TcpStream, go: &Sender<()>| {
                let mut writing = tcp.write_all_owned(pattern()).zero_copy(zero_copy);
                assert!(poll_once(&mut writing).is_pending());
                let cancelled = writing.cancel();
                go.send(()).expect("the reader lives");
                cancelled.await.0
            };
            let then = async |tcp: &TcpStream| {
                tcp.write_all_owned("end").await.0?;
                tcp.shutdown(std::net::Shutdown::Write)
            };
            cancel_in_the_middle(&tcp, peer.into_std()?.into(), write, then).await?;

            let (unix, peer) = unix_pair()?;
            let write = async |unix: &UnixStream, go: &Sender<()>| {
                let bufs = vec![pattern()];
                let mut writing = unix.write_all_vectored_owned(bufs);
                assert!(poll_once(&mut writing).is_pending());
                let (sent, bufs) = writing.cancel().await;
                go.send(()).expect("the reader lives");
                assert_eq!(bufs[0].len(), MUCH);
                sent
            };
            let then = async |unix: &UnixStream| {
                unix.write_all_owned("end").zero_copy(zero_copy).await.0?;
                unix.shutdown(std::net::Shutdown::Write)
            };
            cancel_in_the_middle(&unix, peer.into(), write, then).await?;
        }
        Ok(())
    });
}

#[test]
fn several_buffers_go_out_whole_and_in_order() {
    on_each_driver(async || {
        let (tcp, peer) = tcp_pair().await?;
        let mut peer = peer.into_std()?;
        peer.set_nonblocking(false)?;
        let parts: Vec<Box<[u8]>> = pattern().chunks(3_001).map(Box::from).collect();
        let reader = std::thread::spawn(move || {
            let mut all = vec![0; MUCH];
            peer.read_exact(&mut all).map(|()| all)
        });
        let (result, parts) = tcp.write_all_vectored_owned(parts).await;
        result?;
        assert_eq!(parts.len(), MUCH.div_ceil(3_001));
        let all = reader.join().expect("the reader")?;
        assert!(all == pattern());
        Ok(())
    });
}

/// A buffer that says when it is dropped.
#[derive(Debug, Default)]
struct Spy {
    bytes: Vec<u8>,
    alive: Option<std::sync::Arc<()>>,
}

// SAFETY: as of the `Vec` inside.
unsafe impl IoBuf for Spy {
    fn as_ptr(&self) -> *const u8 {
        self.bytes.as_ptr()
    }

    fn len(&self) -> usize {
        self.bytes.len()
    }
}

#[test]
fn a_write_without_a_copy_is_one_on_io_uring_and_arrives_on_both() {
    for kind in [DriverKind::Epoll, DriverKind::Uring] {
        let Some(reactor) = reactor(kind) else {
            continue;
        };
        let result = run(&reactor, async {
            let (stream, mut peer) = tcp_pair().await?;
            let reader = async {
                let mut all = vec![0; MUCH];
                peer.read_exact(&mut all).await.map(|()| all)
            };
            let mut reader = pin!(reader);
            let mut writer = pin!(stream.write_all_owned(pattern()).zero_copy(true));
            let (mut written, mut read) = (None, None);
            std::future::poll_fn(|cx| {
                if written.is_none()
                    && let Poll::Ready(done) = writer.as_mut().poll(cx)
                {
                    written = Some(done);
                }
                if read.is_none()
                    && let Poll::Ready(done) = reader.as_mut().poll(cx)
                {
                    read = Some(done);
                }
                if written.is_some() && read.is_some() {
                    Poll::Ready(())
                } else {
                    Poll::Pending
                }
            })
            .await;
            let (result, buf) = written.expect("just looked");
            result?;
            assert!(read.expect("just looked")? == buf, "the bytes are the same");
            io::Result::Ok(())
        });
        result.unwrap_or_else(|error| panic!("on {kind}: {error}"));
        let metrics = reactor.metrics();
        assert_eq!(
            metrics.zero_copy_sends > 0,
            kind == DriverKind::Uring,
            "on {kind}: {metrics:?}"
        );
        assert_eq!(metrics.ops_in_flight, 0);
    }
}

#[test]
fn what_is_lent_comes_back_when_the_kernel_is_done_with_it() {
    for kind in [DriverKind::Epoll, DriverKind::Uring] {
        let Some(reactor) = reactor(kind) else {
            continue;
        };
        let result = run(&reactor, async {
            let (stream, mut peer) = tcp_pair().await?;
            let mut writing = stream.write_all_owned(pattern()).zero_copy(true);
            assert!(poll_once(&mut writing).is_pending());
            let mut giving_up = writing.cancel();
            let early = poll_once(&mut giving_up);
            assert_eq!(early.is_pending(), kind == DriverKind::Uring, "on {kind}");
            let (sent, _) = match early {
                Poll::Ready(done) => done,
                Poll::Pending => {
                    stream.shutdown(std::net::Shutdown::Write)?;
                    peer.read_to_end(&mut Vec::new()).await?;
                    giving_up.await
                }
            };
            assert!((1..MUCH).contains(&sent?));
            io::Result::Ok(())
        });
        result.unwrap_or_else(|error| panic!("on {kind}: {error}"));
    }
}

#[test]
fn a_dropped_write_without_a_copy_keeps_its_buffer_until_the_kernel_is_done() {
    on_each_driver(async || {
        let (stream, mut peer) = tcp_pair().await?;
        let alive = std::sync::Arc::new(());
        let buf = Spy {
            bytes: pattern(),
            alive: Some(std::sync::Arc::clone(&alive)),
        };
        assert!(buf.alive.is_some());
        let mut writing = stream.write_all_owned(buf).zero_copy(true);
        assert!(poll_once(&mut writing).is_pending());
        drop(writing);
        stream.shutdown(std::net::Shutdown::Write)?;
        // Whatever of it the kernel took arrives unharmed, and then the loan ends.
        let mut all = Vec::new();
        peer.read_to_end(&mut all).await?;
        assert!(all == pattern()[..all.len()]);
        while std::sync::Arc::strong_count(&alive) > 1 {
            sleep(Duration::from_millis(1)).await;
        }
        Ok(())
    });
}
