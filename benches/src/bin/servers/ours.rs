//! wakeline, in its default configuration; and one that looks again before it sleeps.

use std::io;
use std::time::Duration;

use wakeline::io::AsyncWriteExt;
use wakeline::net::{TcpListener, UnixListener};
use wakeline::{Builder, Driver, Runtime, spawn};

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

pub(crate) fn builder(driver: Driver, workers: usize) -> Builder {
    Runtime::builder().driver(driver).workers(workers)
}

/// For a machine with a processor to spare.
pub(crate) fn spinning(driver: Driver) -> Builder {
    builder(driver, 1).spin(Duration::from_micros(100))
}

pub(crate) fn serve(job: Job, builder: Builder) -> io::Result<()> {
    let runtime = builder.build();
    runtime.map_err(io::Error::other)?.block_on(async {
        let work = job.work;
        match job.listener {
            Listener::Tcp(listener) => serve!(TcpListener::from_std(listener), work),
            Listener::Unix(listener) => serve!(UnixListener::from_std(listener), work),
        }
    })
}
