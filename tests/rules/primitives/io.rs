//! Sockets, and who talks to them from outside; streams in memory.

use super::{Primitive, row};
use crate::world::{Lent, World, leak};
use std::io::Write;
use std::pin::pin;
use std::task::{Context, Waker};
use wakeline::io::{AsyncReadExt, AsyncWriteExt, simplex};
use wakeline::net::{TcpListener, TcpStream, UdpSocket};

const HERE: &str = "127.0.0.1:0";

pub(super) fn rows() -> Vec<Primitive> {
    let mut rows = sockets();
    rows.extend(in_memory());
    rows
}

/// Polls it once, and it must be ready.
fn at_once<T>(operation: impl Future<Output = std::io::Result<T>>) {
    let polled = pin!(operation).poll(&mut Context::from_waker(Waker::noop()));
    assert!(matches!(polled, std::task::Poll::Ready(Ok(_))));
}

fn in_memory() -> Vec<Primitive> {
    vec![
        row!("SimplexReader", Only, async {
            let (reader, mut writer) = simplex(4);
            let reader = Lent::new(reader);
            let wait = move || {
                let mut reader = reader.take();
                async move { reader.get().read(&mut [0; 1]).await.expect("it is open") }
            };
            World::new(wait, move || at_once(writer.write(b"7")))
        }, NoTrace: "the traits have one waker a stream, that of the last poll; tested in `a_handle_that_goes_takes_its_waker_along`"),
        row!("SimplexWriter", Only, async {
            let (mut reader, mut writer) = simplex(1);
            at_once(writer.write(b"7"));
            let writer = Lent::new(writer);
            let wait = move || {
                let mut writer = writer.take();
                async move { writer.get().write(b"7").await.expect("it is read") }
            };
            World::new(wait, move || at_once(reader.read(&mut [0; 1])))
        }, NoTrace: "the traits have one waker a stream, that of the last poll; tested in `a_handle_that_goes_takes_its_waker_along`"),
    ]
}

fn sockets() -> Vec<Primitive> {
    vec![
        row!("TcpStream::read", Only, async {
            let listener = std::net::TcpListener::bind(HERE).expect("a port");
            let address = listener.local_addr().expect("it is bound");
            let stream = leak(TcpStream::connect(address).await.expect("it listens"));
            let (mut peer, _) = listener.accept().expect("it connected");
            let wait = move || async move {
                let mut bytes = [0; 1];
                stream.read(&mut bytes).await.expect("the peer is there")
            };
            World::new(wait, move || {
                peer.write_all(b"7").expect("the stream is there")
            })
        }),
        row!("TcpListener::accept", Only, async {
            let listener = leak(TcpListener::bind(HERE).await.expect("a port"));
            let address = listener.local_addr().expect("it is bound");
            let mut peers = Vec::new();
            let grant = move || {
                peers.push(std::net::TcpStream::connect(address).expect("it listens"));
            };
            World::new(|| listener.accept(), grant)
        }),
        row!("UdpSocket::recv", Only, async {
            let socket = leak(UdpSocket::bind(HERE).await.expect("a port"));
            let address = socket.local_addr().expect("it is bound");
            let peer = std::net::UdpSocket::bind(HERE).expect("a port");
            let wait = || async {
                let mut bytes = [0; 8];
                socket.recv(&mut bytes).await.expect("a datagram")
            };
            World::new(wait, move || {
                let _ = peer.send_to(b"7", address);
            })
        }),
    ]
}
