//! A standard input that is a TCP stream with urgent data. A file of its own, as
//! it changes what the process has.

use socket2::SockRef;
use std::io::Result;
use wakeline_net::io::{AsyncReadExt, AsyncWriteExt, stdin};
use wakeline_net::testing::{both, on_each_driver, tcp_pair, yield_times};

/// A read stops at the mark, where the kernel says that there is nothing more.
#[test]
fn what_is_behind_the_mark_comes_though_nothing_follows() {
    on_each_driver(|| async {
        for early in [false, true] {
            let (mut client, server) = tcp_pair().await?;
            rustix::stdio::dup2_stdin(&server)?;
            let talk = async {
                if !early {
                    yield_times(3).await; // the read waits
                }
                client.write_all(b"abc").await?;
                SockRef::from(&client).send_out_of_band(b"!")?;
                client.write_all(b"def").await
            };
            let mut all = Vec::new();
            let read = async {
                let (mut stdin, mut buf) = (stdin(), [0; 64]);
                if early {
                    yield_times(3).await;
                }
                while all.len() < 6 {
                    let n = stdin.read(&mut buf).await?;
                    all.extend_from_slice(&buf[..n]);
                }
                Result::Ok(())
            };
            let (said, read) = both(talk, read).await;
            said?;
            read?;
            assert_eq!(all, b"abcdef");
        }
        Ok(())
    });
}
