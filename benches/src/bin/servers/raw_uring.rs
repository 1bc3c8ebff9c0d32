//! The floor on io_uring: multishot accept, multishot receive into a ring of
//! buffers, `send` at once, and nothing around it.

use std::alloc::{Layout, alloc_zeroed, handle_alloc_error};
use std::io;
use std::mem;
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd, RawFd};
use std::ptr::NonNull;
use std::sync::atomic::{AtomicU16, Ordering};

use io_uring::types::{BufRingEntry, Fd};
use io_uring::{IoUring, cqueue, opcode, squeue};
use rustix::event::{PollFd, PollFlags, poll};
use rustix::net::SendFlags;

use crate::{Job, Listener, Work};

const GROUP: u16 = 1;
/// Enough for a burst of a thousand connections.
const BUFFERS: u16 = 1024;
const ACCEPT: u64 = u64::MAX;

/// The ring of buffers that the kernel takes from.
struct Buffers {
    ring: NonNull<BufRingEntry>,
    memory: NonNull<u8>,
    size: usize,
    tail: u16,
}

fn pages(bytes: usize) -> NonNull<u8> {
    let layout = Layout::from_size_align(bytes.max(1), 4096);
    let layout = layout.unwrap_or_else(|error| unreachable!("a sane size: {error}"));
    // SAFETY: the size is not zero.
    let memory = unsafe { alloc_zeroed(layout) };
    NonNull::new(memory).unwrap_or_else(|| handle_alloc_error(layout))
}

impl Buffers {
    fn new(uring: &IoUring, size: usize) -> io::Result<Buffers> {
        let ring = pages(usize::from(BUFFERS) * size_of::<BufRingEntry>()).cast();
        let memory = pages(usize::from(BUFFERS) * size);
        // SAFETY: the memory is of that many entries, on a page's border, and
        // is never freed: this process serves until it is killed.
        unsafe {
            uring.submitter().register_buf_ring_with_flags(
                ring.as_ptr() as u64,
                BUFFERS,
                GROUP,
                0,
            )?;
        }
        let mut buffers = Buffers {
            ring,
            memory,
            size,
            tail: 0,
        };
        (0..BUFFERS).for_each(|id| buffers.give(id));
        Ok(buffers)
    }

    /// Where a buffer is.
    fn place(&self, id: u16) -> *mut u8 {
        // SAFETY: within the memory: the kernel names no other ids than those
        // it was given, which are less than BUFFERS.
        unsafe { self.memory.as_ptr().add(usize::from(id) * self.size) }
    }

    /// Gives a buffer to the kernel.
    fn give(&mut self, id: u16) {
        let at = usize::from(self.tail % BUFFERS);
        // SAFETY: within the ring, which has BUFFERS entries.
        let mut entry = unsafe { self.ring.add(at) };
        // SAFETY: the kernel reads only the entries before the tail.
        let entry = unsafe { entry.as_mut() };
        entry.set_addr(self.place(id) as u64);
        entry.set_len(self.size as u32);
        entry.set_bid(id);
        self.tail = self.tail.wrapping_add(1);
        // SAFETY: the ring is alive; its tail is in the first entry.
        let tail = unsafe { BufRingEntry::tail(self.ring.as_ptr()) };
        // SAFETY: aligned to two, and the kernel only reads it.
        let tail = unsafe { AtomicU16::from_ptr(tail.cast_mut()) };
        tail.store(self.tail, Ordering::Release);
    }

    /// What the kernel has put into a buffer that it gave back.
    fn filled(&self, id: u16, length: usize) -> &[u8] {
        // SAFETY: the completion named this buffer and this length: until
        // `give` the kernel does not touch it.
        unsafe { std::slice::from_raw_parts(self.place(id), length) }
    }
}

/// What has a number, one after the other.
#[derive(Default)]
struct Connection {
    /// How many had it before: what completes late of one of those is not for
    /// this one.
    generation: u32,
    socket: Option<OwnedFd>,
}

impl Connection {
    /// What its receives carry.
    fn key(&self, fd: RawFd) -> u64 {
        u64::from(self.generation) << 32 | u64::from(fd.cast_unsigned())
    }
}

struct Loop {
    uring: IoUring,
    buffers: Buffers,
    listener: RawFd,
    nodelay: bool,
    work: Work,
    /// By the descriptor's number.
    connections: Vec<Connection>,
    /// Of this turn.
    completions: Vec<cqueue::Entry>,
}

pub(crate) fn serve(job: Job) -> io::Result<()> {
    let mut this = Loop::new(&job)?;
    this.push(
        &opcode::AcceptMulti::new(Fd(this.listener))
            .build()
            .user_data(ACCEPT),
    )?;
    loop {
        this.turn()?;
    }
}

impl Loop {
    /// For a listener that outlives it.
    fn new(job: &Job) -> io::Result<Loop> {
        let uring = IoUring::builder()
            .setup_single_issuer()
            .setup_defer_taskrun()
            .setup_cqsize(8192)
            .build(2048)?;
        let buffers = Buffers::new(&uring, job.buffer)?;
        let (listener, nodelay) = match &job.listener {
            Listener::Tcp(listener) => (listener.as_raw_fd(), true),
            Listener::Unix(listener) => (listener.as_raw_fd(), false),
        };
        Ok(Loop {
            uring,
            buffers,
            listener,
            nodelay,
            work: job.work,
            connections: Vec::new(),
            completions: Vec::new(),
        })
    }

    /// Waits for completions, and does what they ask for.
    fn turn(&mut self) -> io::Result<()> {
        match self.uring.submit_and_wait(1) {
            Err(error) if error.kind() != io::ErrorKind::Interrupted => return Err(error),
            _ => {}
        }
        let mut completions = mem::take(&mut self.completions);
        completions.extend(self.uring.completion());
        for completion in completions.drain(..) {
            self.completed(&completion)?;
        }
        self.completions = completions;
        Ok(())
    }

    fn push(&mut self, entry: &squeue::Entry) -> io::Result<()> {
        // SAFETY: the requests here name descriptors, and buffers of the ring's
        // own, which outlive it.
        while unsafe { self.uring.submission().push(entry) }.is_err() {
            self.uring.submit()?;
        }
        Ok(())
    }

    fn completed(&mut self, completion: &cqueue::Entry) -> io::Result<()> {
        if completion.user_data() == ACCEPT {
            if !cqueue::more(completion.flags()) {
                let accept = opcode::AcceptMulti::new(Fd(self.listener)).build();
                self.push(&accept.user_data(ACCEPT))?;
            }
            return self.accepted(completion.result());
        }
        let key = completion.user_data();
        let id = cqueue::buffer_select(completion.flags());
        let result = completion.result();
        let goes_on = result > 0 || result == -libc::ENOBUFS;
        if let (Some(id), 1..) = (id, result) {
            let sent = self.send(key, id, result as usize);
            self.buffers.give(id);
            if sent.is_err() {
                self.close(key);
            }
        }
        if !goes_on {
            self.close(key);
        } else if !cqueue::more(completion.flags()) {
            self.receive(key)?;
        }
        Ok(())
    }

    fn accepted(&mut self, result: i32) -> io::Result<()> {
        if result < 0 {
            return Err(io::Error::from_raw_os_error(-result));
        }
        // SAFETY: the kernel has just made it for this request.
        let fd = unsafe { OwnedFd::from_raw_fd(result) };
        if self.nodelay {
            rustix::net::sockopt::set_tcp_nodelay(&fd, true)?;
        }
        let at = result as usize;
        if self.connections.len() <= at {
            self.connections.resize_with(at + 1, Connection::default);
        }
        let connection = &mut self.connections[at];
        connection.generation = connection.generation.wrapping_add(1);
        connection.socket = Some(fd);
        let key = connection.key(result);
        self.receive(key)
    }

    /// Whose completion it is; `None` if that is closed.
    fn find(&self, key: u64) -> Option<&OwnedFd> {
        let fd = key as RawFd; // the lower half
        let connection = &self.connections[fd as usize];
        let socket = connection.socket.as_ref();
        socket.filter(|_| connection.key(fd) == key)
    }

    fn receive(&mut self, key: u64) -> io::Result<()> {
        if self.find(key).is_none() {
            return Ok(());
        }
        let receive = opcode::RecvMulti::new(Fd(key as RawFd), GROUP).build();
        self.push(&receive.user_data(key))
    }

    fn close(&mut self, key: u64) {
        let Some(socket) = self.find(key) else { return };
        // Ends a receive that is still armed; its last completion finds nobody.
        let _ = rustix::net::shutdown(socket, rustix::net::Shutdown::Both);
        self.connections[key as RawFd as usize].socket = None;
    }

    /// All of it: waits where the peer does not take it, as this loop keeps no
    /// unsent bytes.
    fn send(&self, key: u64, id: u16, length: usize) -> io::Result<()> {
        let Some(socket) = self.find(key) else {
            return Ok(());
        };
        let mut bytes = self.buffers.filled(id, length);
        self.work.on(bytes);
        while !bytes.is_empty() {
            match rustix::net::send(socket, bytes, SendFlags::NOSIGNAL | SendFlags::DONTWAIT) {
                Ok(n) => bytes = &bytes[n..],
                Err(rustix::io::Errno::AGAIN) => {
                    poll(&mut [PollFd::new(socket, PollFlags::OUT)], None)?;
                }
                Err(error) => return Err(error.into()),
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::io::{Read, Write};
    use std::os::fd::IntoRawFd;
    use std::os::linux::net::SocketAddrExt;
    use std::os::unix::net::{SocketAddr, UnixListener, UnixStream};

    use super::*;

    #[test]
    fn a_late_completion_does_not_reach_the_next_connection_of_that_number() {
        let name = format!("wakeline-raw-uring-{}", std::process::id());
        let name = SocketAddr::from_abstract_name(name).expect("a name");
        let job = Job {
            listener: Listener::Unix(UnixListener::bind_addr(&name).expect("it is free")),
            buffer: 64,
            work: Default::default(),
        };
        let Ok(mut this) = Loop::new(&job) else {
            return; // this system has no such io_uring
        };
        let (_one, first) = UnixStream::pair().expect("a pair");
        let (mut two, second) = UnixStream::pair().expect("a pair");
        let number = first.into_raw_fd();
        this.accepted(number).expect("room in the ring");
        this.uring.submit().expect("a receive");
        let first = this.connections[number as usize].key(number);
        this.close(first);

        // The next connection has its number before the receive has ended.
        // SAFETY: two numbers; that of the first is nobody's since `close`, as
        // no other thread of this process opens anything.
        let copied = unsafe { libc::dup2(second.as_raw_fd(), number) };
        assert_eq!(copied, number);
        drop(second);
        this.accepted(number).expect("room in the ring");
        two.set_nonblocking(true).expect("a socket");
        two.write_all(b"x").expect("there is room");
        let mut answer = [0];
        let answered = loop {
            this.turn().expect("completions");
            match two.read(&mut answer) {
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                other => break other,
            }
        };
        assert_eq!((answered.expect("it is open"), answer), (1, *b"x"));
        assert!(this.connections[number as usize].socket.is_some());
    }
}
