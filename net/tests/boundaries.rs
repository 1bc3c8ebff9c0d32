//! Reads that give less than was asked for though more is there: at urgent
//! data, and at a message with descriptors. A reader must not stall at them.

use rustix::net::{SendAncillaryBuffer, SendAncillaryMessage, SendFlags};
use socket2::SockRef;
use std::io::{IoSlice, IoSliceMut, Result};
use std::mem::MaybeUninit;
use std::net::Shutdown;
use std::os::fd::AsFd;
use wakeline_net::io::AsyncWriteExt;
use wakeline_net::testing::{both, on_each_driver, tcp_pair, yield_times};
use wakeline_net::{TcpListener, TcpSocket, TcpStream, UnixStream};
use wakeline_reactor::recv_counted;

fn send_with_descriptor(stream: &UnixStream, bytes: &[u8]) -> Result<()> {
    let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(1))];
    let mut control = SendAncillaryBuffer::new(&mut space);
    let descriptors = [stream.as_fd()];
    assert!(control.push(SendAncillaryMessage::ScmRights(&descriptors)));
    let bufs = [IoSlice::new(bytes)];
    rustix::net::sendmsg(stream, &bufs, &mut control, SendFlags::NOSIGNAL)?;
    Ok(())
}

async fn read_exactly(stream: &UnixStream, len: usize) -> Result<Vec<u8>> {
    let mut all = Vec::new();
    let mut buf = [0; 64];
    while all.len() < len {
        let n = stream.read(&mut buf).await?;
        assert_ne!(n, 0, "the end came after {all:?}");
        all.extend_from_slice(&buf[..n]);
    }
    Ok(all)
}

#[test]
fn a_message_with_a_descriptor_does_not_stall_the_reader() {
    on_each_driver(|| async {
        let (here, there) = UnixStream::pair()?;
        for armed in [false, true] {
            send_with_descriptor(&there, b"a")?;
            there.write(b"bcd").await?;
            send_with_descriptor(&there, b"e")?;
            there.write(b"f").await?;
            if armed {
                // All of it is one event for a reader that is watched already.
                yield_times(2).await;
            }
            assert_eq!(read_exactly(&here, 6).await?, b"abcdef");
        }
        Ok(())
    });
}

#[test]
fn urgent_data_does_not_stall_the_reader() {
    on_each_driver(|| async {
        let (here, there) = tcp_pair().await?;
        for _ in 0..3 {
            there.write(b"ab").await?;
            SockRef::from(&there).send_out_of_band(b"!")?;
            there.write(b"cd").await?;
            // Let everything arrive, so that it may be one event.
            yield_times(3).await;
            let mut all = Vec::new();
            let mut buf = [0; 64];
            while all.len() < 4 {
                let n = here.read(&mut buf).await?;
                assert_ne!(n, 0);
                all.extend_from_slice(&buf[..n]);
            }
            assert_eq!(all, b"abcd", "urgent data is not in line");
        }
        Ok(())
    });
}

/// The end is known when the first bytes are read, and they are read by calls
/// that do not tell what is left.
#[test]
fn urgent_data_before_the_end_does_not_stall_the_reader() {
    on_each_driver(|| async {
        let (here, there) = tcp_pair().await?;
        let mut buf = [0; 64];
        let waits = async {
            assert_eq!(here.read(&mut buf).await?, 2);
            Result::Ok(())
        };
        let (first, sent) = both(waits, there.write(b"ab")).await;
        first?;
        sent?;
        for bytes in [b"cd", b"ef", b"gh"] {
            there.write(bytes).await?;
            SockRef::from(&there).send_out_of_band(b"!")?;
        }
        there.write(b"ij").await?;
        there.shutdown(Shutdown::Write)?;
        yield_times(3).await;
        let mut all = Vec::new();
        loop {
            match here.read(&mut buf).await? {
                0 => break,
                n => all.extend_from_slice(&buf[..n]),
            }
        }
        let line: Vec<u8> = all.into_iter().filter(|byte| *byte != b'!').collect();
        assert_eq!(line, b"cdefghij", "of several marks only the last is one");
        Ok(())
    });
}

/// The first message tells the reader that the stream is quiet; then it is not.
#[test]
fn urgent_data_after_quiet_traffic_does_not_stall_the_reader() {
    on_each_driver(|| async {
        let (here, there) = tcp_pair().await?;
        let mut buf = [0; 64];
        for _ in 0..3 {
            there.write(b"quiet").await?;
            assert_eq!(here.read(&mut buf).await?, 5);
        }
        for wait in [false, true] {
            there.write(b"ab").await?;
            if wait {
                yield_times(3).await;
            }
            SockRef::from(&there).send_out_of_band(b"!")?;
            there.write(b"cd").await?;
            let mut all = Vec::new();
            while all.len() < 4 {
                let n = here.read(&mut buf).await?;
                assert_ne!(n, 0);
                all.extend_from_slice(&buf[..n]);
            }
            assert_eq!(all, b"abcd");
        }
        Ok(())
    });
}

#[test]
fn urgent_data_does_not_stall_the_reader_of_a_unix_stream() {
    on_each_driver(|| async {
        let (here, there) = UnixStream::pair()?;
        for _ in 0..3 {
            there.write(b"ab").await?;
            SockRef::from(&there).send_out_of_band(b"!")?;
            there.write(b"cd").await?;
            yield_times(3).await;
            assert_eq!(read_exactly(&here, 4).await?, b"abcd");
        }
        Ok(())
    });
}

/// Whether the kernel tells how much is left of this stream.
fn is_counted(stream: &TcpStream) -> Result<bool> {
    let mut byte = [0];
    let (n, left) = recv_counted(stream.as_fd(), &mut [IoSliceMut::new(&mut byte)])?;
    assert_eq!(n, 1);
    Ok(left.is_some())
}

#[test]
fn every_way_to_a_stream_has_its_bytes_counted() {
    on_each_driver(|| async {
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let addr = listener.local_addr()?;
        let (connected, accepted) = both(TcpStream::connect(addr), listener.accept()).await;
        let prepared = TcpSocket::new_v4()?.connect(addr);
        let (prepared, of_prepared) = both(prepared, listener.accept()).await;
        let of_std = TcpStream::from_std(std::net::TcpStream::connect(addr)?)?;
        let (beside_std, _) = listener.accept().await?;
        let listener = TcpListener::from_std(std::net::TcpListener::bind("127.0.0.1:0")?)?;
        let last = TcpStream::connect(listener.local_addr()?).await?;
        let (by_std_listener, _) = listener.accept().await?;
        let pairs = [
            (connected?, accepted?.0),
            (prepared?, of_prepared?.0),
            (of_std, beside_std),
            (last, by_std_listener),
        ];
        for (index, (a, b)) in pairs.iter().enumerate() {
            for (from, to) in [(a, b), (b, a)] {
                from.write(b"x").await?;
                to.readable().await?;
                assert!(is_counted(to)?, "pair {index}");
            }
        }
        Ok(())
    });
}

/// As where a service is handed its listener, with a queue.
#[test]
fn a_stream_older_than_our_listener_is_counted_once_it_matters() {
    on_each_driver(|| async {
        let listener = std::net::TcpListener::bind("127.0.0.1:0")?;
        let there = TcpStream::connect(listener.local_addr()?).await?;
        let listener = TcpListener::from_std(listener)?;
        let (here, _) = listener.accept().await?;
        let mut buf = [0; 64];
        for _ in 0..3 {
            there.write(b"abc").await?;
            SockRef::from(&there).send_out_of_band(b"!")?;
            there.write(b"def").await?;
            yield_times(3).await;
            let mut all = Vec::new();
            while all.len() < 6 {
                let n = here.read(&mut buf).await?;
                assert_ne!(n, 0);
                all.extend_from_slice(&buf[..n]);
            }
            assert_eq!(all, b"abcdef");
        }
        Ok(())
    });
}

#[test]
fn a_buffer_that_is_filled_exactly_does_not_stall_the_reader() {
    on_each_driver(|| async {
        let (here, there) = tcp_pair().await?;
        let mut buf = [0; 4];
        for _ in 0..3 {
            there.write(b"12345678").await?;
            assert_eq!(here.read(&mut buf).await?, 4);
            assert_eq!(here.read(&mut buf).await?, 4);
        }
        Ok(())
    });
}

#[test]
fn nothing_is_asked_for_and_nothing_comes_without_waiting() {
    on_each_driver(|| async {
        let (here, _there) = tcp_pair().await?;
        assert_eq!(here.read(&mut []).await?, 0, "no bytes, and not the end");
        Ok(())
    });
}

/// One call takes 1,024 of the buffers; that they were filled proves nothing.
#[test]
fn more_buffers_than_one_call_takes_do_not_stall_the_reader() {
    fn bufs() -> Vec<Vec<u8>> {
        (0..2_000).map(|_| Vec::with_capacity(1)).collect()
    }
    on_each_driver(|| async {
        let (here, there) = tcp_pair().await?;
        // The first read tells an epoll that the stream is quiet.
        there.write(b"x").await?;
        assert_eq!(here.read(&mut [0; 8]).await?, 1);
        (&there).write_all(&[7; 3_000]).await?;
        let mut came = 0;
        while came < 3_000 {
            came += here.read_vectored_owned(bufs()).await.0?;
        }
        assert_eq!(came, 3_000);
        Ok(())
    });
}
