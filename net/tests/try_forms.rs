//! The forms that never wait, and those that wait for a try to be worth it.

use std::io::{ErrorKind, IoSlice, IoSliceMut};
use wakeline_net::testing::{on_each_driver, tcp_pair};
use wakeline_net::{TcpListener, TcpStream, UdpSocket};

#[test]
fn a_try_finds_what_is_there_also_before_any_wait() {
    on_each_driver(|| async {
        let (a, b) = tcp_pair().await?;
        let mut buf = [0; 8];
        assert_eq!(
            a.try_read(&mut buf).unwrap_err().kind(),
            ErrorKind::WouldBlock
        );
        assert_eq!(b.try_write(b"hello")?, 5);
        a.readable().await?;
        assert_eq!(a.try_peek(&mut buf)?, 5);
        let (mut first, mut second) = ([0; 2], [0; 8]);
        let mut bufs = [IoSliceMut::new(&mut first), IoSliceMut::new(&mut second)];
        assert_eq!(a.try_read_vectored(&mut bufs)?, 5);
        assert_eq!((&first, &second[..3]), (b"he", &b"llo"[..]));
        assert_eq!(
            a.try_read(&mut buf).unwrap_err().kind(),
            ErrorKind::WouldBlock
        );
        Ok(())
    });
}

#[test]
fn readable_waits_again_after_a_try_found_nothing() {
    on_each_driver(|| async {
        let (a, b) = tcp_pair().await?;
        let mut buf = [0; 2];
        for _ in 0..3 {
            b.try_write_vectored(&[IoSlice::new(b"a"), IoSlice::new(b"bc")])?;
            let mut got = 0;
            while got < 3 {
                a.readable().await?;
                match a.try_read(&mut buf) {
                    Ok(n) => got += n,
                    Err(error) => assert_eq!(error.kind(), ErrorKind::WouldBlock),
                }
            }
        }
        Ok(())
    });
}

#[test]
fn writable_is_ready_at_once_and_waits_while_the_peer_does_not_read() {
    on_each_driver(|| async {
        let (a, b) = tcp_pair().await?;
        a.writable().await?;
        while a.try_write(&[0; 64 << 10]).is_ok() {}
        let drain = async {
            loop {
                let n = b.read_pooled().await?.len();
                if n == 0 {
                    return std::io::Result::Ok(());
                }
            }
        };
        let write = async {
            a.writable().await?;
            a.shutdown(std::net::Shutdown::Write)
        };
        let (wrote, drained) = wakeline_net::testing::both(write, drain).await;
        wrote?;
        drained
    });
}

#[test]
fn a_listener_and_a_datagram_socket_can_be_tried_too() {
    on_each_driver(|| async {
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        assert_eq!(
            listener.try_accept().unwrap_err().kind(),
            ErrorKind::WouldBlock
        );
        let _client = TcpStream::connect(listener.local_addr()?).await?;
        // The client is connected a moment before the listener knows of it.
        while let Err(error) = listener.try_accept() {
            assert_eq!(error.kind(), ErrorKind::WouldBlock);
            wakeline_net::testing::yield_times(1).await;
        }

        let socket = UdpSocket::bind("127.0.0.1:0").await?;
        let mut buf = [0; 8];
        assert_eq!(
            socket.try_recv_from(&mut buf).unwrap_err().kind(),
            ErrorKind::WouldBlock
        );
        socket.try_send_to(b"me", socket.local_addr()?)?;
        socket.readable().await?;
        assert_eq!(socket.try_recv_from(&mut buf)?, (2, socket.local_addr()?));
        Ok(())
    });
}
