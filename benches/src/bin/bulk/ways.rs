//! The ways to hand a stream on.

use std::io::{self, Read, Write};
use std::net::{Shutdown, TcpStream};

use rustix::pipe::{SpliceFlags, fcntl_setpipe_size, pipe, splice};
use wakeline::{Driver, Runtime, net};

use super::Way;

/// The first is what the others are compared with.
pub(crate) fn all() -> Vec<Way> {
    let mut ways: Vec<Way> = vec![
        ("raw read/write, 64 KiB", raw_buffers),
        ("raw splice, 64 KiB", |from, to| {
            raw_splice(from, to, 64 << 10)
        }),
        ("raw splice, 256 KiB", |from, to| {
            raw_splice(from, to, 256 << 10)
        }),
        ("raw splice, 1 MiB", |from, to| {
            raw_splice(from, to, 1 << 20)
        }),
        ("ours, copy, epoll", |from, to| {
            copy(from, to, Driver::Epoll)
        }),
        ("ours, Splice 1 MiB, epoll", |from, to| {
            spliced(from, to, Driver::Epoll, 1 << 20)
        }),
        ("ours, Splice, epoll", |from, to| {
            spliced(from, to, Driver::Epoll, 256 << 10)
        }),
    ];
    if runtime(Driver::Uring).is_ok() {
        ways.extend::<[Way; 2]>([
            ("ours, copy, io_uring", |from, to| {
                copy(from, to, Driver::Uring)
            }),
            ("ours, Splice, io_uring", |from, to| {
                spliced(from, to, Driver::Uring, 256 << 10)
            }),
        ]);
    }
    #[cfg(feature = "tokio")]
    ways.push(("tokio, copy", tokio_copy));
    ways
}

/// Blocking, one buffer.
fn raw_buffers(mut from: TcpStream, mut to: TcpStream) -> io::Result<()> {
    let mut buf = vec![0; 64 << 10];
    loop {
        match from.read(&mut buf)? {
            0 => return to.shutdown(Shutdown::Write),
            n => to.write_all(&buf[..n])?,
        }
    }
}

/// Blocking, through a pipe of this size.
fn raw_splice(from: TcpStream, to: TcpStream, size: usize) -> io::Result<()> {
    let (reading, writing) = pipe()?;
    let size = fcntl_setpipe_size(&writing, size)?;
    loop {
        let mut held = splice(&from, None, &writing, None, size, SpliceFlags::MOVE)?;
        if held == 0 {
            return to.shutdown(Shutdown::Write);
        }
        while held > 0 {
            held -= splice(&reading, None, &to, None, held, SpliceFlags::MOVE)?;
        }
    }
}

fn runtime(driver: Driver) -> io::Result<Runtime> {
    Runtime::builder().workers(1).driver(driver).build()
}

fn copy(from: TcpStream, to: TcpStream, driver: Driver) -> io::Result<()> {
    runtime(driver)?.block_on(async {
        let from = net::TcpStream::from_std(from)?;
        let to = net::TcpStream::from_std(to)?;
        wakeline::io::copy(&from, &to).await?;
        to.shutdown(Shutdown::Write)
    })
}

fn spliced(from: TcpStream, to: TcpStream, driver: Driver, size: usize) -> io::Result<()> {
    runtime(driver)?.block_on(async {
        let from = net::TcpStream::from_std(from)?;
        let to = net::TcpStream::from_std(to)?;
        wakeline::io::Splice::with_capacity(size)?
            .copy(&from, &to)
            .await?;
        to.shutdown(Shutdown::Write)
    })
}

/// With a reader and a writer of 64 KiB, as ours has; its default is 8 KiB.
#[cfg(feature = "tokio")]
fn tokio_copy(from: TcpStream, to: TcpStream) -> io::Result<()> {
    use tokio::io::{AsyncWriteExt, BufReader, copy_buf};
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_io()
        .build()?;
    runtime.block_on(async {
        from.set_nonblocking(true)?;
        to.set_nonblocking(true)?;
        let from = tokio::net::TcpStream::from_std(from)?;
        let mut to = tokio::net::TcpStream::from_std(to)?;
        copy_buf(&mut BufReader::with_capacity(64 << 10, from), &mut to).await?;
        to.shutdown().await
    })
}
