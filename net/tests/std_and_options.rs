//! Sockets of std come in and go out, and options are the kernel's.

use std::io::{ErrorKind, Read, Write};
use std::net::{self, SocketAddr};
use std::time::Duration;
use wakeline_net::testing::{on_each_driver, tcp_pair};
use wakeline_net::{TcpListener, TcpSocket, TcpStream};

#[test]
fn a_stream_of_std_comes_and_goes() {
    on_each_driver(|| async {
        let listener = TcpListener::from_std(net::TcpListener::bind("127.0.0.1:0")?)?;
        let client = TcpStream::from_std(net::TcpStream::connect(listener.local_addr()?)?)?;
        let (server, _) = listener.accept().await?;
        server.write(b"x").await?;
        assert_eq!(client.read(&mut [0; 8]).await?, 1);
        let (mut client, mut server) = (client.into_std()?, server.into_std()?);
        server.write_all(b"blocking")?;
        let mut buf = [0; 8];
        client.read_exact(&mut buf)?;
        assert_eq!(&buf, b"blocking");
        Ok(())
    });
}

#[test]
fn options_read_back_as_they_were_set() {
    on_each_driver(|| async {
        let (a, _b) = tcp_pair().await?;
        a.set_nodelay(false)?;
        assert!(!a.nodelay()?);
        a.set_ttl(7)?;
        assert_eq!(a.ttl()?, 7);
        a.set_linger(Some(Duration::ZERO))?;
        assert_eq!(a.linger()?, Some(Duration::ZERO));
        assert!(a.take_error()?.is_none());
        Ok(())
    });
}

/// Only zero throws data away.
#[test]
fn a_linger_is_rounded_up_to_seconds() {
    on_each_driver(|| async {
        let (a, _b) = tcp_pair().await?;
        let most = Duration::from_secs(i32::MAX as u64);
        for (set, seconds) in [(1, 1), (500, 1), (1_000, 1), (1_001, 2), (60_000, 60)] {
            a.set_linger(Some(Duration::from_millis(set)))?;
            assert_eq!(a.linger()?, Some(Duration::from_secs(seconds)), "{set} ms");
        }
        for set in [most, Duration::from_secs(1 << 32), Duration::MAX] {
            a.set_linger(Some(set))?;
            assert!(a.linger()? > Some(Duration::from_secs(1 << 20)), "{set:?}");
        }
        a.set_linger(None)?;
        assert_eq!(a.linger()?, None);
        Ok(())
    });
}

#[test]
fn two_listeners_share_a_port_only_if_both_say_so() {
    on_each_driver(|| async {
        let any = SocketAddr::from(([127, 0, 0, 1], 0));
        let first = TcpSocket::new_v4()?;
        first.set_reuse_port(true)?;
        first.bind(any)?;
        let first = first.listen(16)?;
        let addr = first.local_addr()?;
        let second = TcpSocket::new_v4()?;
        second.set_reuse_port(true)?;
        second.bind(addr)?;
        let second = second.listen(16)?;
        let third = TcpListener::bind(addr).await.unwrap_err();
        assert_eq!(third.kind(), ErrorKind::AddrInUse);
        assert!(
            third.to_string().starts_with(&format!("bind {addr}: ")),
            "{third}"
        );
        drop((first, second));
        Ok(())
    });
}

#[test]
fn an_address_of_no_interface_is_told() {
    on_each_driver(|| async {
        // Reserved for documentation: RFC 5737.
        let error = TcpListener::bind("203.0.113.7:0").await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::AddrNotAvailable);
        assert!(
            error.to_string().starts_with("bind 203.0.113.7:0: "),
            "{error}"
        );
        assert!(error.to_string().contains("0.0.0.0"), "{error}");
        Ok(())
    });
}

#[test]
fn a_port_is_free_again_when_its_listener_is_dropped() {
    on_each_driver(|| async {
        // Of an address of its own, where nobody else gets the port meanwhile.
        let listener = TcpListener::bind("127.0.0.2:0").await?;
        let addr = listener.local_addr()?;
        let client = TcpStream::connect(addr).await?;
        let accepted = listener.accept().await?;
        drop(listener);
        TcpListener::bind(addr).await?;
        drop((client, accepted));
        Ok(())
    });
}
