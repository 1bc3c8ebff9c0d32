//! The floor: epoll, edge-triggered, and nothing around it.

use std::io;
use std::io::{Read, Write};
use std::net::TcpStream;
use std::os::fd::{AsFd, AsRawFd};
use std::os::unix::net::UnixStream;

use rustix::event::epoll;

use crate::{Job, Listener, Work};

enum Stream {
    Tcp(TcpStream),
    Unix(UnixStream),
}

struct Connection {
    stream: Stream,
    /// What the peer does not take at the moment.
    rest: Vec<u8>,
}

impl Connection {
    fn read(&self, buffer: &mut [u8]) -> io::Result<usize> {
        match &self.stream {
            Stream::Tcp(stream) => (&*stream).read(buffer),
            Stream::Unix(stream) => (&*stream).read(buffer),
        }
    }

    fn write(&self, bytes: &[u8]) -> io::Result<usize> {
        let written = match &self.stream {
            Stream::Tcp(stream) => (&*stream).write(bytes),
            Stream::Unix(stream) => (&*stream).write(bytes),
        };
        match written {
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => Ok(0),
            written => written,
        }
    }

    /// Echoes what is there; false if the peer is done. `ended`: its end has
    /// come, maybe behind bytes, and no other edge will tell of it.
    fn ready(&mut self, buffer: &mut [u8], work: Work, ended: bool) -> io::Result<bool> {
        while !self.rest.is_empty() {
            let n = self.write(&self.rest)?;
            if n == 0 {
                return Ok(true);
            }
            self.rest.drain(..n);
        }
        loop {
            let n = match self.read(buffer) {
                Ok(0) => return Ok(false),
                Ok(n) => n,
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Ok(true),
                Err(error) => return Err(error),
            };
            work.on(&buffer[..n]);
            let sent = self.write(&buffer[..n])?;
            if sent < n {
                self.rest.extend_from_slice(&buffer[sent..n]);
                return Ok(true);
            }
            if n < buffer.len() && !ended {
                return Ok(true); // a short read: the next edge tells of more
            }
        }
    }
}

const LISTENER: u64 = u64::MAX;
/// There is an end or an error to be read.
const ENDED: epoll::EventFlags = epoll::EventFlags::RDHUP
    .union(epoll::EventFlags::HUP)
    .union(epoll::EventFlags::ERR);

pub(crate) fn serve(job: Job) -> io::Result<()> {
    let poller = epoll::create(epoll::CreateFlags::CLOEXEC)?;
    let data = epoll::EventData::new_u64(LISTENER);
    match &job.listener {
        Listener::Tcp(listener) => epoll::add(&poller, listener, data, epoll::EventFlags::IN)?,
        Listener::Unix(listener) => epoll::add(&poller, listener, data, epoll::EventFlags::IN)?,
    }
    // By the descriptor's number.
    let mut connections: Vec<Option<Connection>> = Vec::new();
    let mut buffer = vec![0; job.buffer];
    let mut events = Vec::with_capacity(1024);
    loop {
        events.clear();
        match epoll::wait(&poller, rustix::buffer::spare_capacity(&mut events), None) {
            Ok(_) | Err(rustix::io::Errno::INTR) => {}
            Err(error) => return Err(error.into()),
        }
        for event in &events {
            let key = event.data.u64();
            if key == LISTENER {
                accept(&job.listener, &poller, &mut connections)?;
            } else if let Some(Some(connection)) = connections.get_mut(key as usize) {
                let flags = event.flags;
                let served = connection.ready(&mut buffer, job.work, flags.intersects(ENDED));
                if !served.unwrap_or(false) {
                    connections[key as usize] = None;
                }
            }
        }
    }
}

fn accept(
    listener: &Listener,
    poller: impl AsFd,
    connections: &mut Vec<Option<Connection>>,
) -> io::Result<()> {
    let stream = match listener {
        Listener::Tcp(listener) => listener.accept().and_then(|(stream, _)| {
            stream.set_nodelay(true)?;
            stream.set_nonblocking(true)?;
            Ok(Stream::Tcp(stream))
        }),
        Listener::Unix(listener) => listener.accept().and_then(|(stream, _)| {
            stream.set_nonblocking(true)?;
            Ok(Stream::Unix(stream))
        }),
    };
    let stream = match stream {
        Ok(stream) => stream,
        Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Ok(()),
        Err(error) => return Err(error),
    };
    let fd = match &stream {
        Stream::Tcp(stream) => stream.as_fd(),
        Stream::Unix(stream) => stream.as_fd(),
    };
    let key = fd.as_raw_fd() as u64;
    let flags = epoll::EventFlags::IN
        | epoll::EventFlags::OUT
        | epoll::EventFlags::RDHUP
        | epoll::EventFlags::ET;
    epoll::add(poller, fd, epoll::EventData::new_u64(key), flags)?;
    if connections.len() <= key as usize {
        connections.resize_with(key as usize + 1, || None);
    }
    connections[key as usize] = Some(Connection {
        stream,
        rest: Vec::new(),
    });
    Ok(())
}
