//! A pipe is closed where no descriptor is to be had. Alone in its process,
//! since the limit is the process's.

mod exhausted;

use exhausted::Exhausted;
use std::io::ErrorKind;
use std::pin::pin;
use wakeline_net::io::AsyncWriteExt;
use wakeline_net::pipe;
use wakeline_net::testing::{on_each_driver, poll_now};

#[test]
fn a_sender_is_closed_without_a_descriptor_to_spare() {
    on_each_driver(|| async {
        for waited in [false, true] {
            let (mut sender, receiver) = pipe::pipe()?;
            let mut held = 0;
            while waited && held < 1 << 20 {
                let chunk = [7; pipe::PIPE_BUF];
                let mut write = pin!(sender.write(&chunk));
                if poll_now(write.as_mut()).is_pending() {
                    break; // it is watched from here on
                }
                held += chunk.len();
            }

            let exhausted = Exhausted::new()?;
            sender.close().await?;
            let mut came = 0;
            let end = loop {
                match receiver.read_pooled().await {
                    Ok(buf) if buf.is_empty() => break came,
                    Ok(buf) => came += buf.len(),
                    Err(error) => panic!("{error}"),
                }
            };
            sender.close().await?; // once more is nothing
            let errors = [
                sender.write(b"x").await.unwrap_err().kind(),
                sender.write_all(b"x").await.unwrap_err().kind(),
                sender.try_write(b"x").unwrap_err().kind(),
            ];
            sender.writable().await?; // as of one whose reader is gone
            drop(exhausted);

            assert_eq!(end, held);
            assert_eq!(errors, [ErrorKind::BrokenPipe; 3]);
            assert!(sender.into_blocking_fd().is_ok());
        }
        Ok(())
    });
}
