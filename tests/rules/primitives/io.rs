//! Sockets, and who talks to them from outside.

use super::{Primitive, row};
use crate::world::{World, leak};
use std::io::Write;
use wakeline::net::{TcpListener, TcpStream, UdpSocket};

const HERE: &str = "127.0.0.1:0";

pub(super) fn rows() -> Vec<Primitive> {
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
