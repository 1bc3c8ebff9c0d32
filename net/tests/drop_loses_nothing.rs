//! A future that is dropped before it is ready has taken nothing.

use std::pin::pin;
use std::task::Poll;
use wakeline_net::testing::{on_each_driver, poll_now, tcp_pair, unix_pair, yield_times};
use wakeline_net::{TcpListener, TcpStream, UdpSocket, UnixDatagram};

#[test]
fn a_dropped_read_leaves_the_bytes() {
    on_each_driver(|| async {
        for arrives_before_the_drop in [true, false] {
            let (a, b) = tcp_pair().await?;
            let mut buf = [0; 8];
            {
                let mut read = pin!(a.read(&mut buf));
                assert!(poll_now(read.as_mut()).is_pending());
                if arrives_before_the_drop {
                    b.write(b"hello").await?;
                    // The reactor has seen the event; the future has not.
                    yield_times(3).await;
                }
            }
            if !arrives_before_the_drop {
                b.write(b"hello").await?;
            }
            assert_eq!(a.read(&mut buf).await?, 5);
            assert_eq!(&buf[..5], b"hello");
        }
        Ok(())
    });
}

#[test]
fn a_dropped_pooled_read_leaves_the_bytes() {
    on_each_driver(|| async {
        let (a, b) = unix_pair().await?;
        {
            let mut read = pin!(a.read_pooled());
            assert!(poll_now(read.as_mut()).is_pending());
            b.write(b"hello").await?;
            yield_times(3).await;
        }
        assert_eq!(&a.read_pooled().await?[..], b"hello");
        Ok(())
    });
}

#[test]
fn a_dropped_accept_leaves_the_connection() {
    on_each_driver(|| async {
        for arrives_before_the_drop in [true, false] {
            let listener = TcpListener::bind("127.0.0.1:0").await?;
            let addr = listener.local_addr()?;
            let mut early = None;
            {
                let mut accept = pin!(listener.accept());
                assert!(poll_now(accept.as_mut()).is_pending());
                if arrives_before_the_drop {
                    early = Some(TcpStream::connect(addr).await?);
                    yield_times(3).await;
                }
            }
            let client = match early {
                Some(client) => client,
                None => TcpStream::connect(addr).await?,
            };
            let (server, peer) = listener.accept().await?;
            assert_eq!(peer, client.local_addr()?);
            client.write(b"x").await?;
            assert_eq!(server.read(&mut [0; 8]).await?, 1);
        }
        Ok(())
    });
}

#[test]
fn a_dropped_receive_leaves_the_datagram() {
    on_each_driver(|| async {
        let (a, b) = UnixDatagram::pair()?;
        let udp = UdpSocket::bind("127.0.0.1:0").await?;
        let mut buf = [0; 8];
        let mut other = [0; 8];
        {
            let mut unix = pin!(a.recv(&mut buf));
            let mut inet = pin!(udp.recv_from(&mut other));
            assert!(poll_now(unix.as_mut()).is_pending());
            assert!(poll_now(inet.as_mut()).is_pending());
            b.send(b"one").await?;
            let sender = UdpSocket::bind("127.0.0.1:0").await?;
            sender.send_to(b"two", udp.local_addr()?).await?;
            yield_times(3).await;
        }
        assert_eq!(a.recv(&mut buf).await?, 3);
        assert_eq!(udp.recv_from(&mut other).await?.0, 3);
        Ok(())
    });
}

#[test]
fn a_dropped_connect_can_be_tried_again() {
    on_each_driver(|| async {
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let addr = listener.local_addr()?;
        {
            let mut connect = pin!(TcpStream::connect(addr));
            if let Poll::Ready(result) = poll_now(connect.as_mut()) {
                drop(result?);
            }
        }
        let client = TcpStream::connect(addr).await?;
        loop {
            let (_server, peer) = listener.accept().await?;
            if peer == client.local_addr()? {
                return Ok(());
            }
        }
    });
}

#[test]
fn one_of_two_waiting_reads_may_go() {
    on_each_driver(|| async {
        let (a, b) = tcp_pair().await?;
        let (mut first, mut second) = ([0; 8], [0; 8]);
        let mut kept = pin!(a.read(&mut first));
        assert!(poll_now(kept.as_mut()).is_pending());
        {
            let mut gone = pin!(a.read(&mut second));
            assert!(poll_now(gone.as_mut()).is_pending());
        }
        b.write(b"x").await?;
        assert_eq!(kept.await?, 1);
        Ok(())
    });
}
