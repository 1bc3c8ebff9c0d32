//! smol, on its local executor, which is its faster one.

use std::io;
use std::rc::Rc;

use smol::io::{AsyncReadExt, AsyncWriteExt};
use smol::{Async, LocalExecutor};

use crate::{Job, Listener};

macro_rules! serve {
    ($executor:expr, $listener:expr, $buffer:expr, $work:expr, |$stream:ident| $set:expr) => {{
        let listener = Async::new($listener)?;
        loop {
            let (mut $stream, _peer) = listener.accept().await?;
            $set;
            $executor
                .spawn(async move {
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
    let executor = Rc::new(LocalExecutor::new());
    let spawner = Rc::clone(&executor);
    smol::block_on(executor.run(async move {
        let (buffer, work) = (job.buffer, job.work);
        match job.listener {
            Listener::Tcp(listener) => serve!(spawner, listener, buffer, work, |stream| stream
                .get_ref()
                .set_nodelay(true)?),
            Listener::Unix(listener) => serve!(spawner, listener, buffer, work, |stream| {}),
        }
    }))
}
