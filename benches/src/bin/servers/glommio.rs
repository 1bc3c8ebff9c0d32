//! glommio. It has no way to take a listener that exists, so it binds again, with
//! the backlog of 1024 that it has.

use std::io;

use futures_lite::{AsyncReadExt, AsyncWriteExt};
use glommio::net::{TcpListener, UnixListener};
use glommio::{LocalExecutorBuilder, Placement};

use crate::{Job, Listener};

macro_rules! serve {
    ($listener:expr, $buffer:expr, $work:expr, |$stream:ident| $set:expr) => {{
        let listener = $listener.map_err(plain)?;
        $crate::announce();
        loop {
            let mut $stream = listener.accept().await.map_err(plain)?;
            $set;
            glommio::spawn_local(async move {
                let mut buffer = vec![0; $buffer];
                loop {
                    let n = $stream.read(&mut buffer).await?;
                    if n == 0 {
                        return io::Result::Ok(());
                    }
                    $work.on(&buffer[..n]);
                    $stream.write_all(&buffer[..n]).await?;
                }
            })
            .detach();
        }
    }};
}

pub(crate) fn serve(job: Job) -> io::Result<()> {
    let executor = LocalExecutorBuilder::new(Placement::Unbound).make();
    executor.map_err(plain)?.run(async {
        let (buffer, work) = (job.buffer, job.work);
        match job.listener {
            Listener::Tcp(listener) => {
                let address = listener.local_addr()?;
                drop(listener);
                serve!(TcpListener::bind(address), buffer, work, |stream| stream
                    .set_nodelay(true)
                    .map_err(plain)?)
            }
            Listener::Unix(listener) => {
                let address = listener.local_addr()?;
                let path = address
                    .as_pathname()
                    .ok_or(io::ErrorKind::Unsupported)?
                    .to_owned();
                drop(listener);
                std::fs::remove_file(&path)?;
                serve!(UnixListener::bind(path), buffer, work, |stream| {})
            }
        }
    })
}

/// Its error may hold what cannot be shared.
fn plain<T>(error: glommio::GlommioError<T>) -> io::Error {
    io::Error::other(error.to_string())
}
