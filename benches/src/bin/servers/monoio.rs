//! monoio, on its io_uring driver.

use std::io;

use monoio::io::{AsyncReadRent, AsyncWriteRentExt};
use monoio::net::{TcpListener, UnixListener};
use monoio::{FusionDriver, RuntimeBuilder};

use crate::{Job, Listener};

macro_rules! serve {
    ($listener:expr, $buffer:expr, $work:expr, |$stream:ident| $set:expr) => {{
        let listener = $listener?;
        loop {
            let (mut $stream, _peer) = listener.accept().await?;
            $set;
            monoio::spawn(async move {
                let mut buffer = Vec::with_capacity($buffer);
                loop {
                    let read;
                    (read, buffer) = $stream.read(buffer).await;
                    if read? == 0 {
                        return io::Result::Ok(());
                    }
                    $work.on(&buffer);
                    let written;
                    (written, buffer) = $stream.write_all(buffer).await;
                    written?;
                    buffer.clear();
                }
            });
        }
    }};
}

pub(crate) fn serve(job: Job) -> io::Result<()> {
    let mut runtime = RuntimeBuilder::<FusionDriver>::new().build()?;
    runtime.block_on(async {
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
