//! A connect tries address after address, and tells why if none works.

use socket2::{Domain, Socket, Type};
use std::io;
use std::net::SocketAddr;
use wakeline_net::testing::{both, on_each_driver};
use wakeline_net::{TcpListener, TcpSocket, TcpStream};

/// An address where nobody listens: bound, so that nobody else gets it.
fn refused() -> io::Result<(Socket, SocketAddr)> {
    let socket = Socket::new(Domain::IPV4, Type::STREAM, None)?;
    socket.bind(&SocketAddr::from(([127, 0, 0, 1], 0)).into())?;
    let addr = socket
        .local_addr()?
        .as_socket()
        .expect("an Internet address");
    Ok((socket, addr))
}

/// An address that answers no connect: its queue is full and stays so.
fn blackhole() -> io::Result<(Vec<Socket>, SocketAddr)> {
    let (listener, addr) = refused()?;
    listener.listen(0)?;
    let mut held = vec![listener];
    for _ in 0..8 {
        let client = Socket::new(Domain::IPV4, Type::STREAM, None)?;
        client.set_nonblocking(true)?;
        let _ = client.connect(&addr.into()); // in progress, for ever
        held.push(client);
    }
    Ok((held, addr))
}

#[test]
fn the_next_address_is_tried_when_one_refuses() {
    on_each_driver(|| async {
        let (_held, bad) = refused()?;
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let good = listener.local_addr()?;
        let stream = TcpStream::connect(&[bad, good]).await?;
        assert_eq!(stream.peer_addr()?, good);
        Ok(())
    });
}

#[test]
fn the_next_address_is_tried_beside_one_that_is_silent() {
    on_each_driver(|| async {
        let (_held, silent) = blackhole()?;
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let good = listener.local_addr()?;
        let stream = TcpStream::connect(&[silent, good]).await?;
        assert_eq!(stream.peer_addr()?, good);
        // The one that lost is closed, and the one that won is whole.
        let (server, _) = listener.accept().await?;
        server.write(b"x").await?;
        assert_eq!(stream.read(&mut [0; 8]).await?, 1);
        Ok(())
    });
}

#[test]
fn every_address_that_failed_is_named() {
    on_each_driver(|| async {
        let ((_a, first), (_b, second)) = (refused()?, refused()?);
        let error = TcpStream::connect(&[first, second]).await.unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::ConnectionRefused);
        let text = error.to_string();
        assert!(text.contains(&first.to_string()), "{text}");
        assert!(text.contains(&second.to_string()), "{text}");

        let error = TcpStream::connect(first).await.unwrap_err();
        let text = error.to_string();
        assert!(text.starts_with(&format!("connect {first}: ")), "{text}");
        assert!(text.contains("nothing listens there"), "{text}");
        Ok(())
    });
}

#[test]
fn a_name_is_looked_up() {
    on_each_driver(|| async {
        let listener = TcpListener::bind("localhost:0").await?;
        let port = listener.local_addr()?.port();
        let text = format!("localhost:{port}");
        let (stream, accepted) = both(TcpStream::connect(text), listener.accept()).await;
        assert_eq!(stream?.local_addr()?, accepted?.1);
        Ok(())
    });
}

#[test]
fn what_is_no_address_is_told() {
    on_each_driver(|| async {
        let error = TcpStream::connect("no port here").await.unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::InvalidInput);
        assert!(error.to_string().contains("no port here"), "{error}");
        let error = TcpStream::connect(Vec::new()).await.unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::InvalidInput);
        let error = TcpListener::bind(Vec::new()).await.unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::InvalidInput);
        assert_eq!(error.to_string(), "there is no address");
        // The name is reserved for this: RFC 2606.
        let error = TcpStream::connect("nowhere.invalid:80").await.unwrap_err();
        assert!(error.to_string().contains("nowhere.invalid:80"), "{error}");
        Ok(())
    });
}

#[test]
fn a_prepared_socket_connects_from_its_address() {
    on_each_driver(|| async {
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let socket = TcpSocket::new_v4()?;
        socket.bind(SocketAddr::from(([127, 0, 0, 1], 0)))?;
        let local = socket.local_addr()?;
        let stream = socket.connect(listener.local_addr()?).await?;
        assert_eq!(stream.local_addr()?, local);
        Ok(())
    });
}

#[test]
fn no_delay_is_set_on_both_ends_from_the_beginning() {
    on_each_driver(|| async {
        let (a, b) = wakeline_net::testing::tcp_pair().await?;
        assert!(a.nodelay()?, "accepted");
        assert!(b.nodelay()?, "connected");
        Ok(())
    });
}

#[test]
fn a_bound_socket_meets_itself_only_because_it_was_asked_to() {
    on_each_driver(|| async {
        let socket = TcpSocket::new_v4()?;
        socket.bind(SocketAddr::from(([127, 0, 0, 1], 0)))?;
        let addr = socket.local_addr()?;
        let itself = socket.connect(addr).await?;
        assert_eq!(itself.local_addr()?, itself.peer_addr()?);
        itself.write(b"echo").await?;
        assert_eq!(itself.read(&mut [0; 8]).await?, 4);
        Ok(())
    });
}
