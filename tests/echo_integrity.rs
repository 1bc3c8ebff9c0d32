//! What goes to the echo server in random pieces comes back byte for byte.
//!
//! `WAKELINE_TEST_BYTES` sets how much in all, per backend (64 MiB without it):
//! `WAKELINE_TEST_BYTES=1073741824 cargo test --release --test echo_integrity`.

mod support;

use std::sync::Arc;
use std::time::Instant;

use support::child::EchoServer;
use support::{Chance, for_each_backend, setting};
use wakeline::io::AsyncWriteExt;
use wakeline::net::TcpStream;
use wakeline::spawn;
use wakeline::sync::Semaphore;

const CONNECTIONS: u64 = 200;

/// So many bytes are under way on a connection. Without a limit both its directions fill up
/// with megabytes, and Linux (6.18, receive buffers up to 32 MiB) stops such connections for
/// minutes now and then, with a window closed whose reader has nothing left to read. It does so
/// to tokio's server and to a bare loop as well.
const AHEAD: usize = 1 << 20;

/// Sizes as programs have them: many small ones, some large ones.
fn piece(chance: &mut Chance) -> usize {
    let limit = 1 << chance.below(18);
    1 + chance.below(limit) as usize
}

/// Sends `total` bytes drawn from `content`, and checks that they come back.
async fn connection(address: std::net::SocketAddr, content: Chance, mut sizes: Chance, total: u64) {
    let stream = TcpStream::connect(address)
        .await
        .expect("the server listens");
    let (reader, mut writer) = stream.into_split();
    let room = Arc::new(Semaphore::new(AHEAD));
    let writing = {
        let (mut content, mut sizes, room) = (content.clone(), sizes.fork(1), Arc::clone(&room));
        spawn(async move {
            let (mut left, mut words) = (total, Words::default());
            while left > 0 {
                let mut bytes = vec![0; piece(&mut sizes).min(left as usize)];
                words.fill(&mut content, &mut bytes);
                let under_way = room.acquire_many(bytes.len()).await;
                under_way.expect("it is never closed").forget();
                writer.write_all(&bytes).await.expect("the server reads on");
                left -= bytes.len() as u64;
            }
            // Tells the server that this is all: it closes in its turn.
            writer.shutdown().expect("the write side closes");
        })
    };
    let (mut content, mut received, mut words) = (content, 0, Words::default());
    let (mut buf, mut expected) = (Vec::new(), Vec::new());
    loop {
        buf.resize(piece(&mut sizes), 0);
        let n = reader.read(&mut buf).await.expect("the server echoes");
        if n == 0 {
            break;
        }
        expected.resize(n, 0);
        words.fill(&mut content, &mut expected);
        // Not `assert_eq`: a failure should print a place, not 64 KiB.
        if let Some(at) = (0..n).find(|&i| buf[i] != expected[i]) {
            panic!(
                "byte {} is {:#x}, not {:#x}",
                received + at as u64,
                buf[at],
                expected[at]
            );
        }
        received += n as u64;
        room.add_permits(n);
    }
    writing.await.expect("the writer does not panic");
    assert_eq!(received, total, "lost or made up");
}

/// The same bytes from the same chance, in whatever pieces they are asked for.
#[derive(Default)]
struct Words {
    word: [u8; 8],
    left: usize,
}

impl Words {
    fn fill(&mut self, chance: &mut Chance, bytes: &mut [u8]) {
        for byte in bytes {
            if self.left == 0 {
                self.word = chance.next().to_le_bytes();
                self.left = 8;
            }
            *byte = self.word[8 - self.left];
            self.left -= 1;
        }
    }
}

#[test]
fn random_pieces_over_200_connections_come_back_byte_for_byte() {
    let bytes = setting("WAKELINE_TEST_BYTES", 64 << 20);
    let chance = Chance::new();
    for_each_backend(|backend| {
        let server = EchoServer::start(&["--driver", backend.option()]);
        let start = Instant::now();
        backend.runtime(2).block_on(async {
            let connections: Vec<_> = (0..CONNECTIONS)
                .map(|i| {
                    let share = bytes / CONNECTIONS + u64::from(i < bytes % CONNECTIONS);
                    spawn(connection(
                        server.address,
                        chance.fork(2 * i),
                        chance.fork(2 * i + 1),
                        share,
                    ))
                })
                .collect();
            for connection in connections {
                connection.await.expect("every byte is back");
            }
        });
        let took = start.elapsed().as_secs_f64();
        eprintln!(
            "{}: {:.1} MiB/s",
            backend.name(),
            bytes as f64 / took / (1 << 20) as f64
        );
        let (status, events) = server.stop();
        assert!(status.success(), "{status}");
        let summary = events.last().expect("a summary");
        assert_eq!(summary["bytes"], bytes);
        assert_eq!(summary["errors"], serde_json::json!({}));
    });
}
