//! A connect dropped at any moment leaves no descriptor, and the next one works.

mod support;

use std::net::TcpListener as StdListener;
use std::thread;

use support::drops::{descriptors_back_to, descriptors_before, drop_at_random, share};
use support::{Chance, for_each_backend};
use wakeline::io::{AsyncReadExt, AsyncWriteExt};
use wakeline::net::TcpStream;

#[test]
fn nothing_is_left_of_it_and_the_next_one_works() {
    let seed = Chance::new();
    for_each_backend(|backend| {
        let listener = StdListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        // Resets whoever sends no "?", so that no port is kept in TIME_WAIT.
        let server = thread::spawn(move || {
            for stream in listener.incoming() {
                let stream = socket2::Socket::from(stream.expect("accept"));
                let mut byte = [std::mem::MaybeUninit::uninit()];
                let n = stream.recv(&mut byte).unwrap_or(0);
                stream
                    .set_linger(Some(std::time::Duration::ZERO))
                    .expect("linger");
                if n == 1 {
                    stream.send(b"!").expect("send");
                    // Its end of stream: the client has read the answer.
                    if stream.recv(&mut byte).unwrap_or(0) == 1 {
                        return;
                    }
                }
            }
        });
        for workers in [1, 2] {
            let mut chance = seed.fork(workers as u64);
            backend.runtime(workers).block_on(async {
                let before = descriptors_before().await;
                for drop in 0..share(3) {
                    let connected =
                        drop_at_random(&mut chance, TcpStream::connect(address), || {}).await;
                    if let Some(stream) = connected {
                        let stream = stream.expect("the server listens");
                        stream.set_linger(Some(std::time::Duration::ZERO)).unwrap();
                    }
                    if drop % 100 == 0 {
                        let mut stream = TcpStream::connect(address)
                            .await
                            .expect("the server listens");
                        stream.set_linger(Some(std::time::Duration::ZERO)).unwrap();
                        stream.write_all(b"?").await.unwrap();
                        let mut answer = [0];
                        stream.read_exact(&mut answer).await.unwrap();
                        assert_eq!(&answer, b"!");
                    }
                }
                // The server's thread holds at most one connection of its own, and
                // ends it once ours are gone.
                descriptors_back_to(before).await;
            });
        }
        let last = std::net::TcpStream::connect(address).unwrap();
        std::io::Write::write_all(&mut &last, b"??").unwrap();
        server.join().unwrap();
    });
}
