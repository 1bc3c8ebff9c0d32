//! The echo server of the README, its lines in `echo`: one task a connection.
//!
//! `examples/echo_server` is the one to run for real: it limits, times out,
//! counts and drains.

use std::process::ExitCode;

use wakeline::io::AsyncWriteExt;
use wakeline::net::{TcpListener, TcpStream, serve};

fn main() -> ExitCode {
    if std::env::args_os().len() > 1 {
        eprintln!("usage: hello_echo (it listens on 127.0.0.1:7777; see echo_server for options)");
        return ExitCode::from(2);
    }
    if let Err(error) = echo() {
        eprintln!("hello_echo: {error}");
        return ExitCode::FAILURE;
    }
    ExitCode::SUCCESS
}

fn echo() -> std::io::Result<()> {
    wakeline::block_on(async {
        let listener = TcpListener::bind("127.0.0.1:7777").await?;
        let echo = |mut stream: TcpStream, _peer| async move {
            let mut buf = [0; 4096];
            while let n @ 1.. = stream.read(&mut buf).await? {
                stream.write_all(&buf[..n]).await?;
            }
            Ok(())
        };
        serve(listener, echo).await.broken.map_or(Ok(()), Err)
    })
}
