//! A read dropped at any moment takes no byte along.

mod support;

use std::io::Write;
use std::net::TcpStream as StdStream;

use support::drops::{descriptors_back_to, descriptors_before, drop_at_random, share};
use support::{Chance, for_each_backend};
use wakeline::io::AsyncReadExt;
use wakeline::net::{TcpListener, UnixStream};

/// Bytes that tell their place: any loss or doubling shows in the next one.
fn byte(place: u64) -> u8 {
    (place % 251) as u8
}

/// Drops reads of `stream`, to which `write` sends, and compares every byte.
async fn drop_reads<S>(
    chance: &mut Chance,
    stream: &mut S,
    drops: u64,
    mut write: impl FnMut(&[u8]),
) where
    S: AsyncReadExt + Unpin,
{
    let (mut sent, mut received) = (0, 0);
    for _ in 0..drops {
        let amount = 1 + chance.below(300);
        let bytes: Vec<u8> = (sent..sent + amount).map(byte).collect();
        let mut buf = [0; 200];
        let mut wrote = false;
        let early = drop_at_random(chance, stream.read(&mut buf), || {
            write(&bytes);
            wrote = true;
        })
        .await;
        if !wrote {
            write(&bytes);
        }
        sent += amount;
        if let Some(result) = early {
            let n = result.expect("the stream is open");
            for &got in &buf[..n] {
                assert_eq!(got, byte(received), "byte {received}");
                received += 1;
            }
        }
        // Sometimes all is read at once, sometimes much is left for the next future.
        while sent > received + 1_000 || (sent > received && chance.one_in(2)) {
            let n = stream.read(&mut buf).await.expect("the stream is open");
            for &got in &buf[..n] {
                assert_eq!(got, byte(received), "byte {received}");
                received += 1;
            }
        }
    }
    while received < sent {
        let mut buf = [0; 4096];
        let n = stream.read(&mut buf).await.expect("the stream is open");
        for &got in &buf[..n] {
            assert_eq!(got, byte(received), "byte {received}");
            received += 1;
        }
    }
}

#[test]
fn of_tcp_and_unix_streams_every_byte_arrives() {
    let seed = Chance::new();
    for_each_backend(|backend| {
        for workers in [1, 2] {
            let mut chance = seed.fork(workers as u64);
            backend.runtime(workers).block_on(async {
                let before = descriptors_before().await;
                let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
                let mut peer = StdStream::connect(listener.local_addr().unwrap()).unwrap();
                peer.set_nodelay(true).unwrap();
                let (mut tcp, _) = listener.accept().await.unwrap();
                drop_reads(&mut chance, &mut tcp, share(15), |bytes| {
                    peer.write_all(bytes).unwrap()
                })
                .await;
                drop((tcp, peer, listener));

                let (unix, mut peer) = std::os::unix::net::UnixStream::pair().unwrap();
                let mut unix = UnixStream::from_std(unix).unwrap();
                drop_reads(&mut chance, &mut unix, share(5), |bytes| {
                    peer.write_all(bytes).unwrap()
                })
                .await;
                drop((unix, peer));
                descriptors_back_to(before).await;
            });
        }
    });
}
