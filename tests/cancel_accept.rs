//! An accept dropped at any moment takes no connection along.

mod support;

use std::cell::RefCell;
use std::collections::VecDeque;
use std::net::SocketAddr;
use std::os::unix::net::UnixStream as StdUnixStream;

use socket2::{Domain, Socket, Type};
use support::drops::{descriptors_back_to, descriptors_before, drop_at_random, share};
use support::{Chance, for_each_backend};
use wakeline::net::{TcpListener, UnixListener};

/// A client whose close leaves nothing behind: twenty thousand of them must not
/// use up the machine's ports.
fn connect(address: SocketAddr) -> Socket {
    let socket = Socket::new(Domain::for_address(address), Type::STREAM, None).expect("a socket");
    socket
        .set_linger(Some(std::time::Duration::ZERO))
        .expect("linger");
    socket
        .connect(&address.into())
        .expect("the backlog has room");
    socket
}

fn local(socket: &Socket) -> SocketAddr {
    socket
        .local_addr()
        .expect("an address")
        .as_socket()
        .expect("of the internet")
}

#[test]
fn of_tcp_clients_each_is_accepted_once_and_in_order() {
    let _alone = support::alone(); // it counts the descriptors
    let seed = Chance::new();
    for_each_backend(|backend| {
        for workers in [1, 2] {
            let mut chance = seed.fork(workers as u64);
            backend.runtime(workers).block_on(async {
                let before = descriptors_before().await;
                let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
                let address = listener.local_addr().unwrap();
                let waiting = RefCell::new(VecDeque::new());
                for _ in 0..share(8) {
                    let arrive = || waiting.borrow_mut().push_back(connect(address));
                    let early = drop_at_random(&mut chance, listener.accept(), arrive).await;
                    let check = |peer: SocketAddr| {
                        let client = waiting
                            .borrow_mut()
                            .pop_front()
                            .expect("nobody else connected");
                        assert_eq!(
                            peer,
                            local(&client),
                            "another client than the one at the head"
                        );
                    };
                    if let Some(result) = early {
                        check(result.expect("the listener works").1);
                    }
                    // Sometimes some are left for later futures.
                    while waiting.borrow().len() > 20
                        || (!waiting.borrow().is_empty() && chance.one_in(2))
                    {
                        check(listener.accept().await.expect("the listener works").1);
                    }
                }
                while !waiting.borrow().is_empty() {
                    let (_, peer) = listener.accept().await.expect("the listener works");
                    assert_eq!(
                        peer,
                        local(&waiting.borrow_mut().pop_front().expect("one waits"))
                    );
                }
                drop(listener);
                descriptors_back_to(before).await;
            });
        }
    });
}

#[test]
fn of_unix_clients_none_is_lost() {
    let _alone = support::alone();
    let seed = Chance::new();
    for_each_backend(|backend| {
        let path = std::env::temp_dir().join(format!(
            "wakeline-accept-{}-{}",
            std::process::id(),
            backend.name()
        ));
        let mut chance = seed.fork(3);
        backend.runtime(1).block_on(async {
            let listener = UnixListener::bind(&path).unwrap();
            let (waiting, mut accepted) = (RefCell::new(Vec::new()), 0);
            let drops = share(4);
            for _ in 0..drops {
                let arrive = || {
                    waiting
                        .borrow_mut()
                        .push(StdUnixStream::connect(&path).expect("the backlog has room"))
                };
                if let Some(result) = drop_at_random(&mut chance, listener.accept(), arrive).await {
                    result.expect("the listener works");
                    accepted += 1;
                }
                while accepted < waiting.borrow().len() {
                    listener.accept().await.expect("the listener works");
                    accepted += 1;
                }
                if chance.one_in(50) {
                    waiting.borrow_mut().clear();
                    accepted = 0;
                }
            }
        });
        std::fs::remove_file(&path).expect("the path is ours");
    });
}
