//! A task that waits tells what for and at which line of the user's code, and
//! one that never waits gives way all the same.

use std::future::{Future, poll_fn};
use std::pin::pin;
use std::task::{Context, Poll, Waker};
use wakeline_context::{Aside, Kind, Polling, WaitingOn, budget};
use wakeline_net::io::{AsyncReadExt, AsyncWriteExt, BufReader, copy};
use wakeline_net::testing::{on_each_driver, tcp_pair};
use wakeline_net::{TcpListener, UdpSocket};

/// Polls once, and tells what the future waits for.
fn parked(future: impl Future) -> WaitingOn {
    // The test's own future is being polled.
    let _aside = Aside::new();
    let polling = Polling::begin();
    let mut cx = Context::from_waker(Waker::noop());
    assert!(pin!(future).poll(&mut cx).is_pending());
    polling.end().expect("it said what it waits for")
}

#[test]
fn a_parked_leaf_names_the_users_line() {
    on_each_driver(|| async {
        let (a, mut b) = tcp_pair().await?;
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let udp = UdpSocket::bind("127.0.0.1:0").await?;
        let mut buf = [0; 8];
        let fd = std::os::fd::AsRawFd::as_raw_fd(&a) as u64;

        let (waiting, line) = (parked(a.read(&mut buf)), line!());
        assert_eq!((waiting.kind, waiting.id), (Kind::Read, fd));
        assert_eq!(
            (waiting.location.file(), waiting.location.line()),
            (file!(), line)
        );

        let (waiting, line) = (parked(listener.accept()), line!());
        assert_eq!(
            (waiting.kind, waiting.location.line()),
            (Kind::Accept, line)
        );
        let (waiting, line) = (parked(listener.incoming().next()), line!());
        assert_eq!(
            (waiting.kind, waiting.location.line()),
            (Kind::Accept, line)
        );
        let (waiting, line) = (parked(udp.recv_from(&mut buf)), line!());
        assert_eq!((waiting.kind, waiting.location.line()), (Kind::Read, line));
        let (waiting, line) = (parked(a.read_pooled()), line!());
        assert_eq!((waiting.kind, waiting.location.line()), (Kind::Read, line));
        let (waiting, line) = (parked(copy(&a, &a)), line!());
        assert_eq!((waiting.kind, waiting.location.line()), (Kind::Read, line));

        while b.try_write(&[0; 64 << 10]).is_ok() {}
        let (waiting, line) = (parked(b.write_all(b"x")), line!());
        assert_eq!((waiting.kind, waiting.location.line()), (Kind::Write, line));
        assert_eq!(waiting.location.file(), file!());

        let (c, _d) = tcp_pair().await?;
        let mut reader = BufReader::new(c);
        let mut text = String::new();
        let (waiting, line) = (parked(reader.read_line(&mut text)), line!());
        assert_eq!((waiting.kind, waiting.location.line()), (Kind::Read, line));
        let (waiting, line) = (parked(reader.get_mut().read_to_string(&mut text)), line!());
        assert_eq!((waiting.kind, waiting.location.line()), (Kind::Read, line));
        Ok(())
    });
}

#[test]
fn a_task_whose_socket_is_always_ready_gives_way() {
    on_each_driver(|| async {
        let (a, mut b) = tcp_pair().await?;
        b.write_all(&[7; 1000]).await?;
        let mut polls = 0;
        let mut read = pin!(async {
            let mut byte = [0];
            for _ in 0..1000 {
                assert_eq!(a.read(&mut byte).await?, 1);
            }
            std::io::Result::Ok(())
        });
        poll_fn(|cx| {
            polls += 1;
            let _aside = Aside::new();
            let _poll = Polling::begin();
            read.as_mut().poll(cx)
        })
        .await?;
        let fewest = 1000 / usize::from(budget::PER_POLL);
        assert!(polls >= fewest, "{polls} polls for 1000 reads");
        Ok(())
    });
}

#[test]
fn nothing_is_done_by_a_future_that_is_never_polled() {
    on_each_driver(|| async {
        let (a, b) = tcp_pair().await?;
        drop(b.write(b"x"));
        drop(UdpSocket::bind("127.0.0.1:0"));
        b.write(b"y").await?;
        let mut buf = [0; 8];
        assert_eq!(a.read(&mut buf).await?, 1);
        assert_eq!(buf[0], b'y');
        assert!(matches!(
            wakeline_net::testing::poll_now(pin!(a.read(&mut buf))),
            Poll::Pending
        ));
        Ok(())
    });
}
