//! tokio: `None` is its current-thread runtime, else so many workers.

use std::io;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, UnixListener};
use tokio::runtime::Builder;

use crate::{Job, Listener};

macro_rules! serve {
    ($listener:expr, $buffer:expr, $work:expr, |$stream:ident| $set:expr) => {{
        let listener = $listener?;
        loop {
            let (mut $stream, _peer) = listener.accept().await?;
            $set;
            tokio::spawn(async move {
                let mut buffer = vec![0; $buffer];
                loop {
                    let n = $stream.read(&mut buffer).await?;
                    if n == 0 {
                        return io::Result::Ok(());
                    }
                    $work.on(&buffer[..n]);
                    $stream.write_all(&buffer[..n]).await?;
                }
            });
        }
    }};
}

pub(crate) fn serve(job: Job, workers: Option<usize>) -> io::Result<()> {
    let mut builder = match workers {
        None => Builder::new_current_thread(),
        Some(_) => Builder::new_multi_thread(),
    };
    if let Some(workers) = workers {
        builder.worker_threads(workers);
    }
    builder.enable_all().build()?.block_on(async {
        let (buffer, work) = (job.buffer, job.work);
        match job.listener {
            Listener::Tcp(listener) => {
                serve!(TcpListener::from_std(listener), buffer, work, |stream| {
                    stream.set_nodelay(true)?
                })
            }
            Listener::Unix(listener) => {
                serve!(UnixListener::from_std(listener), buffer, work, |stream| {})
            }
        }
    })
}
