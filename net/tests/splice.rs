//! Copies within the kernel: the bytes, the end, and that a dropped copy keeps
//! what it has taken.

use std::cell::Cell;
use std::io::{ErrorKind, Result};
use std::pin::pin;
use wakeline_net::io::{AsyncReadExt, AsyncWriteExt, Splice};
use wakeline_net::testing::{both, on_each_driver, poll_now, tcp_pair, unix_pair, yield_times};
use wakeline_net::{TcpStream, UnixStream, pipe};

fn much() -> Vec<u8> {
    (0..1_u32 << 18).flat_map(u32::to_le_bytes).collect()
}

#[test]
fn a_megabyte_comes_through_whole() {
    on_each_driver(|| async {
        let (mut client, front) = tcp_pair().await?;
        let (mut back, mut server) = unix_pair().await?;
        let send = async {
            client.write_all(&much()).await?;
            client.close().await
        };
        let copy = async {
            let copied = Splice::new()?.copy(&front, &back).await?;
            back.close().await?;
            Result::Ok(copied)
        };
        let mut all = Vec::new();
        let ((sent, copied), read) = both(both(send, copy), server.read_to_end(&mut all)).await;
        sent?;
        read?;
        assert_eq!(copied?, 1 << 20);
        assert!(all == much());
        Ok(())
    });
}

/// The copy is dropped again and again, wherever it stands.
#[test]
fn a_dropped_copy_loses_nothing() {
    on_each_driver(|| async {
        let (mut client, front) = tcp_pair().await?;
        // Which takes no megabyte, so a copy is stuck with what it holds.
        let (mut back, mut server) = unix_pair().await?;
        let held_once = Cell::new(false);
        let send = async {
            client.write_all(&much()).await?;
            client.close().await
        };
        let copy = async {
            let mut splice = Splice::new()?;
            loop {
                {
                    let mut copy = pin!(splice.copy(&front, &back));
                    if let std::task::Poll::Ready(copied) = poll_now(copy.as_mut()) {
                        copied?;
                        break;
                    }
                }
                if splice.held() > 0 {
                    held_once.set(true);
                }
                yield_times(1).await;
            }
            assert_eq!(splice.held(), 0);
            back.close().await
        };
        let read = async {
            while !held_once.get() {
                yield_times(1).await;
            }
            let mut all = Vec::new();
            server.read_to_end(&mut all).await?;
            Result::Ok(all)
        };
        let ((sent, copied), all) = both(both(send, copy), read).await;
        sent?;
        copied?;
        assert!(all? == much());
        Ok(())
    });
}

#[test]
fn pipes_are_spliced_too() {
    on_each_driver(|| async {
        let (mut sender, from) = pipe::pipe()?;
        let (to, receiver) = pipe::pipe()?;
        sender.write_all(b"hello").await?;
        sender.close().await?;
        assert_eq!(Splice::new()?.copy(&from, &to).await?, 5);
        assert_eq!(&receiver.read_pooled().await?[..], b"hello");
        Ok(())
    });
}

#[test]
fn a_peer_that_is_gone_is_an_error_and_what_is_held_stays() {
    on_each_driver(|| async {
        let (mut client, front) = unix_pair().await?;
        let (back, server) = unix_pair().await?;
        drop(server);
        client.write_all(b"hello").await?;
        let mut splice = Splice::new()?;
        let error = splice.copy(&front, &back).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::BrokenPipe);
        assert_eq!(splice.held(), 5);

        // To somebody else, then.
        client.close().await?;
        let (back, server) = unix_pair().await?;
        assert_eq!(splice.copy(&front, &back).await?, 5);
        assert_eq!(&server.read_pooled().await?[..], b"hello");
        Ok(())
    });
}

/// It is sent between threads with its streams.
#[test]
fn the_future_may_change_threads() {
    fn is_send<T: Send>(_: T) {}
    fn check(splice: &mut Splice, from: &TcpStream, to: &UnixStream) {
        is_send(splice.copy(from, to));
    }
    let _ = check;
}
