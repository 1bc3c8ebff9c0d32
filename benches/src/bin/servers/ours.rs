//! wakeline, in its default configuration.

use std::io;

use wakeline::io::AsyncWriteExt;
use wakeline::net::{TcpListener, UnixListener};
use wakeline::{Driver, Runtime, spawn};

use crate::{Job, Listener};

macro_rules! serve {
    ($listener:expr, $work:expr) => {{
        let listener = $listener?;
        loop {
            let (mut stream, _peer) = listener.accept().await?;
            drop(spawn(async move {
                loop {
                    let message = stream.read_pooled().await?;
                    if message.is_empty() {
                        return io::Result::Ok(());
                    }
                    $work.on(&message);
                    stream.write_all(&message).await?;
                }
            }));
        }
    }};
}

pub(crate) fn serve(job: Job, driver: Driver, workers: usize) -> io::Result<()> {
    let runtime = Runtime::builder().driver(driver).workers(workers).build();
    runtime.map_err(io::Error::other)?.block_on(async {
        let work = job.work;
        match job.listener {
            Listener::Tcp(listener) => serve!(TcpListener::from_std(listener), work),
            Listener::Unix(listener) => serve!(UnixListener::from_std(listener), work),
        }
    })
}
