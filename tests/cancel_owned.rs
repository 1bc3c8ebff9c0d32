//! Reads and writes that own their buffers, cancelled or dropped at any moment:
//! no byte is lost, doubled or out of order, and no buffer or descriptor stays.

mod support;

use std::io::{Read, Write};
use std::net::{Shutdown, TcpStream as StdStream};
use std::pin::pin;
use std::task::Poll;
use std::thread;
use std::time::Duration;

use support::drops::{descriptors_back_to, descriptors_before, drop_at_random, poll_once, share};
use support::{Chance, for_each_backend};
use wakeline::io::BufferPool;
use wakeline::net::{TcpListener, TcpStream};

/// Bytes that tell their place: any loss or doubling shows in the next one.
fn byte(place: u64) -> u8 {
    (place % 251) as u8
}

struct Check(u64);

impl Check {
    fn take(&mut self, bytes: &[u8]) {
        for &got in bytes {
            assert_eq!(got, byte(self.0), "byte {}", self.0);
            self.0 += 1;
        }
    }
}

async fn pair() -> (TcpStream, StdStream) {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("bind");
    let address = listener.local_addr().expect("an address");
    let peer = StdStream::connect(address).expect("connect");
    peer.set_nodelay(true).expect("an open socket");
    (listener.accept().await.expect("accept").0, peer)
}

async fn drop_reads(chance: &mut Chance, drops: u64) {
    let (stream, mut peer) = pair().await;
    let pool = BufferPool::new(1, 150);
    let (mut sent, mut check) = (0, Check(0));
    for _ in 0..drops {
        let bytes: Vec<u8> = (sent..sent + 1 + chance.below(200)).map(byte).collect();
        sent += bytes.len() as u64;
        let mut wrote = false;
        let write = |wrote: &mut bool, peer: &mut StdStream| {
            if !std::mem::replace(wrote, true) {
                peer.write_all(&bytes).expect("an open socket");
            }
        };
        let mut event = || write(&mut wrote, &mut peer);
        match chance.below(4) {
            0 => {
                let reading = stream.read_owned(Vec::with_capacity(120));
                if let Some((result, buf)) = drop_at_random(chance, reading, event).await {
                    assert_eq!(result.expect("read"), buf.len());
                    check.take(&buf);
                }
            }
            1 => {
                let bufs = vec![Vec::with_capacity(7), Vec::with_capacity(90)];
                let reading = stream.read_vectored_owned(bufs);
                if let Some((result, bufs)) = drop_at_random(chance, reading, event).await {
                    assert_eq!(result.expect("read"), bufs[0].len() + bufs[1].len());
                    bufs.iter().for_each(|buf| check.take(buf));
                }
            }
            2 => {
                let reading = stream.read_from_pool(&pool);
                if let Some(result) = drop_at_random(chance, reading, event).await {
                    check.take(&result.expect("read"));
                }
            }
            _ => {
                let mut reading = stream.read_owned(vec![0; 64].into_boxed_slice());
                let early = poll_once(pin!(&mut reading)).await;
                event();
                let (result, buf) = match early {
                    Poll::Ready(done) => done,
                    Poll::Pending => reading.cancel().await,
                };
                match result {
                    Ok(n) => check.take(&buf[..n]),
                    Err(error) => assert_eq!(error.raw_os_error(), Some(libc::ECANCELED)),
                }
            }
        }
        write(&mut wrote, &mut peer);
        assert_eq!((pool.available(), pool.waiting()), (1, 0));
        while sent > check.0 + 1_000 || (sent > check.0 && chance.one_in(2)) {
            let (result, buf) = stream.read_owned(Vec::with_capacity(4096)).await;
            assert_ne!(result.expect("read"), 0, "lost after byte {}", check.0);
            check.take(&buf);
        }
    }
    drop(peer);
    loop {
        let (result, buf) = stream.read_owned(Vec::with_capacity(4096)).await;
        check.take(&buf);
        if result.expect("read") == 0 {
            break;
        }
    }
    assert_eq!(check.0, sent, "all that was sent");
}

/// Every write is a run of the place's bytes; a cancelled one tells how many of
/// its own it has sent, and the next one goes on from there.
async fn cancel_writes(chance: &mut Chance, cancels: u64) {
    let (stream, mut peer) = pair().await;
    let reader = thread::spawn(move || {
        let (mut check, mut buf) = (Check(0), [0; 4096]);
        loop {
            match peer.read(&mut buf).expect("an open socket") {
                0 => return check.0,
                n => check.take(&buf[..n]),
            }
        }
    });
    let mut sent = 0;
    for _ in 0..cancels {
        // Mostly what goes at once, sometimes more than there is room for.
        let size = if chance.one_in(20) {
            256 << 10
        } else {
            1 + chance.below(500)
        };
        let bytes: Vec<u8> = (sent..sent + size).map(byte).collect();
        if chance.one_in(3) {
            let parts: Vec<Box<[u8]>> = bytes.chunks(100).map(Box::from).collect();
            let mut writing = stream.write_all_vectored_owned(parts);
            sent += match poll_once(pin!(&mut writing)).await {
                Poll::Ready((result, _)) => result.map(|()| size).expect("write"),
                Poll::Pending => writing.cancel().await.0.expect("write") as u64,
            };
            continue;
        }
        let mut writing = stream.write_all_owned(bytes).zero_copy(chance.one_in(2));
        let mut polled = Poll::Pending;
        for _ in 0..chance.below(4) {
            polled = poll_once(pin!(&mut writing)).await;
            if polled.is_ready() {
                break;
            }
            wakeline::yield_now().await;
        }
        let (result, buf) = match polled {
            Poll::Ready((result, buf)) => (result.map(|()| size as usize), buf),
            Poll::Pending => writing.cancel().await,
        };
        assert_eq!(buf.len() as u64, size, "the buffer as it was");
        sent += result.expect("write") as u64;
    }
    stream.shutdown(Shutdown::Write).expect("an open socket");
    let received = reader.join().expect("every byte in its place");
    assert_eq!(received, sent, "as many as were told");
}

#[test]
fn a_stream_stays_whole() {
    let _alone = support::alone();
    let seed = Chance::new();
    for_each_backend(|backend| {
        for workers in [1, 2] {
            let mut chance = seed.fork(workers as u64);
            let runtime = backend.runtime(workers);
            runtime.block_on(async {
                let before = descriptors_before().await;
                drop_reads(&mut chance, share(3)).await;
                cancel_writes(&mut chance, share(3)).await;
                descriptors_back_to(before).await;
            });
            let report = runtime.shutdown(Duration::from_secs(10));
            assert_eq!(report.leaked_operations, 0, "{report:?}");
        }
    });
}
