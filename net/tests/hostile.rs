//! Peers that reset, vanish or do not read.

use std::io::{ErrorKind, Result};
use std::time::Duration;
use wakeline_net::TcpStream;
use wakeline_net::io::AsyncWriteExt;
use wakeline_net::testing::{both, on_each_driver, tcp_pair, unix_pair, yield_times};

#[test]
fn a_reset_is_an_error_of_the_read_that_waits() {
    on_each_driver(|| async {
        let (a, b) = tcp_pair().await?;
        let reset = async {
            yield_times(3).await;
            b.set_linger(Some(Duration::ZERO))?;
            drop(b);
            Result::Ok(())
        };
        let mut buf = [0; 8];
        let (read, done) = both(a.read(&mut buf), reset).await;
        done?;
        assert_eq!(read.unwrap_err().kind(), ErrorKind::ConnectionReset);
        // The error is told once, then it is the end: never a wait.
        assert_eq!(a.read(&mut buf).await?, 0);
        Ok(())
    });
}

#[test]
fn writing_to_a_peer_that_is_gone_is_an_error_and_no_signal() {
    on_each_driver(|| async {
        let (mut a, b) = unix_pair().await?;
        drop(b);
        let error = a.write_all(b"x").await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::BrokenPipe);

        let (mut a, b) = tcp_pair().await?;
        b.set_linger(Some(Duration::ZERO))?;
        drop(b);
        let mut writes = 0;
        let error = loop {
            match a.write_all(b"x").await {
                Ok(()) => writes += 1,
                Err(error) => break error,
            }
            assert!(writes < 1_000, "the reset never came");
            yield_times(1).await;
        };
        let expected = [ErrorKind::ConnectionReset, ErrorKind::BrokenPipe];
        assert!(expected.contains(&error.kind()), "{error}");
        Ok(())
    });
}

#[test]
fn a_write_waits_for_a_peer_that_does_not_read_and_goes_on_when_it_does() {
    on_each_driver(|| async {
        let (a, b) = tcp_pair().await?;
        let mut sent = 0;
        while let Ok(n) = a.try_write(&[7; 64 << 10]) {
            sent += n;
        }
        let mut received = 0;
        let drain = async {
            while received < sent {
                received += b.read_pooled().await?.len();
            }
            Result::Ok(())
        };
        let (written, drained) = both(a.write(b"more"), drain).await;
        drained?;
        assert!(written? > 0);
        Ok(())
    });
}

#[test]
fn a_write_that_waits_ends_when_the_peer_goes() {
    on_each_driver(|| async {
        let (a, b) = unix_pair().await?;
        while a.try_write(&[7; 64 << 10]).is_ok() {}
        let leave = async {
            yield_times(3).await;
            drop(b);
        };
        let (written, ()) = both(a.write(b"more"), leave).await;
        let expected = [ErrorKind::ConnectionReset, ErrorKind::BrokenPipe];
        assert!(expected.contains(&written.unwrap_err().kind()));
        Ok(())
    });
}

#[test]
fn both_directions_of_one_socket_progress_at_once() {
    on_each_driver(|| async {
        let (a, b) = tcp_pair().await?;
        let data = vec![1; 4 << 20];
        let write_a = async { (&a).write_all(&data).await };
        let write_b = async { (&b).write_all(&data).await };
        let ((wa, wb), (ra, rb)) =
            both(both(write_a, write_b), both(read_all(&a), read_all(&b))).await;
        wa?;
        wb?;
        ra?;
        rb
    });
}

async fn read_all(stream: &TcpStream) -> Result<()> {
    let mut n = 0;
    while n < 4 << 20 {
        n += stream.read_pooled().await?.len();
    }
    Ok(())
}
