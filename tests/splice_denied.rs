//! A copy within the kernel whose pipe has no memory for what was received for it.

mod support;

use std::io::{ErrorKind, Write};
use std::net::{Shutdown, TcpListener};

use socket2::SockRef;
use support::deny::deny;
use support::for_each_backend;
use wakeline::io::{AsyncReadExt, Splice};
use wakeline::net::{TcpStream, UnixStream};

/// What is behind an urgent mark comes by a receive and a write to the pipe.
#[test]
fn what_was_received_and_not_taken_by_the_pipe_is_held() {
    for_each_backend(|backend| {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
        let mut client = std::net::TcpStream::connect(listener.local_addr().expect("bound"))
            .expect("it listens");
        let (front, _) = listener.accept().expect("a client");
        client.write_all(b"abc").expect("room");
        SockRef::from(&client).send_out_of_band(b"!").expect("room");
        client.write_all(b"defghi").expect("room");
        client.shutdown(Shutdown::Write).expect("connected");

        let runtime = backend.runtime(1);
        let mut splice = Splice::new().expect("a pipe");
        let streams = runtime.block_on(async {
            let (back, server) = UnixStream::pair()?;
            std::io::Result::Ok((TcpStream::from_std(front)?, back, server))
        });
        let (front, back, mut server) = streams.expect("descriptors");
        let denied = || {
            deny(libc::ENOMEM, &[libc::SYS_write]).expect("filters are known");
            runtime.block_on(splice.copy(&front, &back))
        };
        let failed = std::thread::scope(|scope| scope.spawn(denied).join());
        let error = failed.expect("no panic").expect_err("no memory");
        assert_eq!(error.kind(), ErrorKind::OutOfMemory);
        assert_eq!(splice.held(), 6);

        let text = runtime.block_on(async {
            assert_eq!(splice.copy(&front, &back).await?, 6);
            drop(back);
            let mut text = String::new();
            server.read_to_string(&mut text).await?;
            std::io::Result::Ok(text)
        });
        assert_eq!(text.expect("it goes on"), "abcdefghi");
    });
}
