//! The floor on io_uring: multishot accept, multishot receive into a ring of
//! buffers, `send` at once, and nothing around it.

use std::alloc::{Layout, alloc_zeroed, handle_alloc_error};
use std::io;
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd, RawFd};
use std::ptr::NonNull;
use std::sync::atomic::{AtomicU16, Ordering};

use io_uring::types::{BufRingEntry, Fd};
use io_uring::{IoUring, cqueue, opcode, squeue};
use rustix::event::{PollFd, PollFlags, poll};
use rustix::net::SendFlags;

use crate::{Job, Listener};

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

struct Loop {
    uring: IoUring,
    buffers: Buffers,
    listener: RawFd,
    nodelay: bool,
    /// By number.
    connections: Vec<Option<OwnedFd>>,
}

pub(crate) fn serve(job: Job) -> io::Result<()> {
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
    let mut this = Loop {
        uring,
        buffers,
        listener,
        nodelay,
        connections: Vec::new(),
    };
    this.push(
        &opcode::AcceptMulti::new(Fd(listener))
            .build()
            .user_data(ACCEPT),
    )?;
    let mut completions = Vec::new();
    loop {
        match this.uring.submit_and_wait(1) {
            Err(error) if error.kind() != io::ErrorKind::Interrupted => return Err(error),
            _ => {}
        }
        completions.clear();
        completions.extend(this.uring.completion());
        for completion in &completions {
            this.completed(completion)?;
        }
    }
}

impl Loop {
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
        let fd = completion.user_data() as RawFd;
        let id = cqueue::buffer_select(completion.flags());
        let result = completion.result();
        let goes_on = result > 0 || result == -libc::ENOBUFS;
        if let (Some(id), 1..) = (id, result) {
            let sent = self.send(fd, id, result as usize);
            self.buffers.give(id);
            if sent.is_err() {
                return self.close(fd);
            }
        }
        if !goes_on {
            return self.close(fd);
        }
        if !cqueue::more(completion.flags()) {
            self.receive(fd)?;
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
            self.connections.resize_with(at + 1, || None);
        }
        self.connections[at] = Some(fd);
        self.receive(result)
    }

    fn receive(&mut self, fd: RawFd) -> io::Result<()> {
        let receive = opcode::RecvMulti::new(Fd(fd), GROUP).build();
        self.push(&receive.user_data(fd as u64))
    }

    fn close(&mut self, fd: RawFd) -> io::Result<()> {
        let closed = self.connections[fd as usize].take();
        // Ends a receive that is still armed; its last completion finds nobody.
        if let Some(closed) = closed {
            let _ = rustix::net::shutdown(&closed, rustix::net::Shutdown::Both);
        }
        Ok(())
    }

    /// All of it: waits where the peer does not take it, as this loop keeps no
    /// unsent bytes.
    fn send(&self, fd: RawFd, id: u16, length: usize) -> io::Result<()> {
        let Some(socket) = &self.connections[fd as usize] else {
            return Ok(());
        };
        let mut bytes = self.buffers.filled(id, length);
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
