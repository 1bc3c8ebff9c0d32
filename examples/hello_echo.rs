//! The echo server of the README: fifteen lines, one task a connection.
//!
//! `examples/echo_server` is the one to run for real: it limits, times out,
//! counts and drains.

use wakeline::io::{AsyncReadExt, AsyncWriteExt};
use wakeline::net::TcpListener;

fn main() -> std::io::Result<()> {
    wakeline::block_on(async {
        let listener = TcpListener::bind("127.0.0.1:7777").await?;
        loop {
            let (mut stream, _peer) = listener.accept().await?;
            wakeline::spawn(async move {
                let mut buf = [0; 4096];
                while let Ok(n @ 1..) = stream.read(&mut buf).await {
                    if stream.write_all(&buf[..n]).await.is_err() {
                        break;
                    }
                }
            });
        }
    })
}
