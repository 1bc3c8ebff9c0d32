//! Connections accepted before anybody asks: none is lost by a drop, none is
//! left open by the listener's end, and the bound holds.

mod support;

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream as StdStream};
use std::time::Duration;

use support::drops::{descriptors_back_to, descriptors_before, drop_at_random, share};
use support::{Chance, for_each_backend, open_descriptors};
use wakeline::Driver;
use wakeline::net::{TcpListener, TcpStream, UnixListener};
use wakeline::time::sleep;

fn connect(address: SocketAddr) -> StdStream {
    let stream = StdStream::connect(address).expect("the backlog has room");
    let socket = socket2::SockRef::from(&stream);
    socket.set_linger(Some(Duration::ZERO)).expect("linger");
    stream
}

/// Takes a connection, and checks by what its client says that it lives.
async fn meet(listener: &TcpListener, clients: &mut Vec<StdStream>) {
    let (server, peer) = listener.accept().await.expect("accept");
    meet_one(&server, peer, clients).await;
}

async fn meet_one(server: &TcpStream, peer: SocketAddr, clients: &mut Vec<StdStream>) {
    let is_it = |client: &StdStream| client.local_addr().is_ok_and(|addr| addr == peer);
    let place = clients.iter().position(is_it);
    let mut client = clients.swap_remove(place.expect("a client, and accepted once"));
    client.write_all(b"x").expect("it is connected");
    let mut buf = [0; 1];
    assert_eq!(server.read(&mut buf).await.expect("read"), 1);
    server.write(b"y").await.expect("write");
    client.read_exact(&mut buf).expect("an answer");
}

#[test]
fn a_dropped_accept_loses_no_connection() {
    let _alone = support::alone();
    let seed = Chance::new();
    for_each_backend(|backend| {
        for (workers, bound) in [(1, 1), (1, 64), (2, 4)] {
            let mut chance = seed.fork(workers as u64 * 100 + bound as u64);
            backend.runtime(workers).block_on(async {
                let before = descriptors_before().await;
                let listener = TcpListener::bind("127.0.0.1:0").await.expect("bind");
                let address = listener.local_addr().expect("an address");
                listener.accept_ahead(bound);
                let mut clients = Vec::new();
                for _ in 0..share(1) {
                    let arrive = || clients.push(connect(address));
                    let early = drop_at_random(&mut chance, listener.accept(), arrive).await;
                    if let Some(accepted) = early {
                        let (server, peer) = accepted.expect("accept");
                        meet_one(&server, peer, &mut clients).await;
                    }
                    while clients.len() > 40 || (!clients.is_empty() && chance.one_in(2)) {
                        meet(&listener, &mut clients).await;
                    }
                }
                while !clients.is_empty() {
                    meet(&listener, &mut clients).await;
                }
                drop(listener);
                descriptors_back_to(before).await;
            });
        }
    });
}

#[test]
fn what_nobody_asked_for_is_bounded_and_closed_with_the_listener() {
    let _alone = support::alone();
    for_each_backend(|backend| {
        backend.runtime(1).block_on(async {
            let before = descriptors_before().await;
            let listener = TcpListener::bind("127.0.0.1:0").await.expect("bind");
            let address = listener.local_addr().expect("an address");
            listener.accept_ahead(8);
            let mut clients = vec![connect(address)];
            meet(&listener, &mut clients).await;
            let waiting = support::drops::poll_once(std::pin::pin!(listener.accept())).await;
            assert!(waiting.is_pending());
            sleep(Duration::from_millis(1)).await; // a turn: the kernel knows
            let ours = open_descriptors();
            for _ in 0..20 {
                clients.extend((0..5).map(|_| connect(address)));
                sleep(Duration::from_millis(1)).await; // a turn
            }
            let ahead = open_descriptors() - ours - clients.len();
            if backend.driver == Driver::Uring {
                // The cancel comes a turn or two later.
                assert!((8..50).contains(&ahead), "{ahead} accepted ahead");
            } else {
                assert_eq!(ahead, 0);
            }
            for _ in 0..50 {
                meet(&listener, &mut clients).await;
            }
            drop(listener);
            for mut client in clients {
                let end = client.read(&mut [0; 1]);
                assert!(!matches!(end, Ok(1..)), "closed or reset: {end:?}");
            }
            descriptors_back_to(before).await;
        });
    });
}

#[test]
fn unix_clients_come_with_their_address_too() {
    use std::os::linux::net::SocketAddrExt;
    use std::os::unix::net::{SocketAddr, UnixStream};
    let _alone = support::alone();
    for_each_backend(|backend| {
        backend.runtime(1).block_on(async {
            let name = format!("wakeline-ahead-{}-{}", std::process::id(), backend.name());
            let address = SocketAddr::from_abstract_name(name).expect("a short name");
            let listener = UnixListener::bind_addr(&address).expect("bind");
            listener.accept_ahead(8);
            for _ in 0..3 {
                let accept = async { listener.accept().await.expect("accept") };
                let mut accept = std::pin::pin!(accept);
                let early = support::drops::poll_once(accept.as_mut()).await;
                assert!(early.is_pending());
                sleep(Duration::from_millis(1)).await;
                let mut client = UnixStream::connect_addr(&address).expect("connect");
                let (server, peer) = accept.await;
                assert!(peer.is_unnamed());
                server.write(b"x").await.expect("write");
                client.read_exact(&mut [0; 1]).expect("connected");
            }
        });
    });
}
