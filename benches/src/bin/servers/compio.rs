//! compio, on its io_uring driver.

use std::io;

use compio::buf::BufResult;
use compio::io::{AsyncRead, AsyncWriteExt};
use compio::net::{TcpListener, UnixListener};

use crate::{Job, Listener};

macro_rules! serve {
    ($listener:expr, $buffer:expr, $work:expr, |$stream:ident| $set:expr) => {{
        let listener = $listener?;
        loop {
            let (mut $stream, _peer) = listener.accept().await?;
            $set;
            compio::runtime::spawn(async move {
                let mut buffer = Vec::with_capacity($buffer);
                loop {
                    buffer.clear();
                    let BufResult(read, filled) = $stream.read(buffer).await;
                    if read? == 0 {
                        return io::Result::Ok(());
                    }
                    $work.on(&filled);
                    let BufResult(written, sent) = $stream.write_all(filled).await;
                    written?;
                    buffer = sent;
                }
            })
            .detach();
        }
    }};
}

pub(crate) fn serve(job: Job) -> io::Result<()> {
    compio::runtime::Runtime::new()?.block_on(async {
        let (buffer, work) = (job.buffer, job.work);
        match job.listener {
            Listener::Tcp(listener) => {
                serve!(TcpListener::from_std(listener), buffer, work, |stream| {})
            }
            Listener::Unix(listener) => {
                serve!(UnixListener::from_std(listener), buffer, work, |stream| {})
            }
        }
    })
}
