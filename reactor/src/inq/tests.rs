use super::*;
use socket2::SockRef;
use std::io::{Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::os::fd::AsFd;
use std::os::unix::net::UnixStream;

fn pair() -> (TcpStream, TcpStream) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let there = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
    (listener.accept().unwrap().0, there)
}

fn receive(stream: &TcpStream, wanted: usize) -> (usize, Option<usize>) {
    let mut buf = vec![0; wanted];
    recv_counted(stream.as_fd(), &mut [IoSliceMut::new(&mut buf)]).unwrap()
}

#[test]
fn nothing_is_told_unless_asked_for() {
    let (here, mut there) = pair();
    there.write_all(b"abc").unwrap();
    assert_eq!(receive(&here, 2), (2, None));
    count_received(here.as_fd()).unwrap();
    assert_eq!(receive(&here, 2), (1, Some(0)));
}

#[test]
fn accepted_streams_inherit_the_option() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    count_received(listener.as_fd()).unwrap();
    let _there = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
    let (here, _) = listener.accept().unwrap();
    let mut on: libc::c_int = 0;
    let mut len = size_of_val(&on) as libc::socklen_t;
    // SAFETY: `on` is writable and `len` says how far, for the length of the call.
    check(unsafe {
        libc::getsockopt(
            here.as_raw_fd(),
            libc::IPPROTO_TCP,
            libc::TCP_INQ,
            (&raw mut on).cast(),
            &raw mut len,
        )
    })
    .unwrap();
    assert_eq!(on, 1);
}

#[test]
fn what_is_behind_an_urgent_mark_counts() {
    let (here, mut there) = pair();
    count_received(here.as_fd()).unwrap();
    there.write_all(b"ab").unwrap();
    SockRef::from(&there).send_out_of_band(b"!").unwrap();
    there.write_all(b"cd").unwrap();
    assert_eq!(receive(&here, 64), (2, Some(3)), "it stops at the mark");
    assert_eq!(receive(&here, 64), (2, Some(0)));
}

#[test]
fn the_end_counts_as_one() {
    let (here, mut there) = pair();
    count_received(here.as_fd()).unwrap();
    there.write_all(b"ab").unwrap();
    there.shutdown(Shutdown::Write).unwrap();
    // The end is a packet of its own, but loopback delivers in the sender's call.
    assert_eq!(receive(&here, 2), (2, Some(1)));
    assert_eq!(receive(&here, 2).0, 0);
}

#[test]
fn several_buffers_are_filled_in_order() {
    let (here, mut there) = pair();
    count_received(here.as_fd()).unwrap();
    there.write_all(b"abcde").unwrap();
    let (mut a, mut b) = ([0; 1], [0; 3]);
    let mut bufs = [IoSliceMut::new(&mut a), IoSliceMut::new(&mut b)];
    assert_eq!(recv_counted(here.as_fd(), &mut bufs).unwrap(), (4, Some(1)));
    assert_eq!((&a, &b), (b"a", b"bcd"));
}

#[test]
fn a_time_stamp_leaves_room_for_the_count() {
    let (here, mut there) = pair();
    count_received(here.as_fd()).unwrap();
    let on: libc::c_int = 1;
    // SAFETY: `on` is an int, readable for the length of the call.
    check(unsafe {
        libc::setsockopt(
            here.as_raw_fd(),
            libc::SOL_SOCKET,
            libc::SO_TIMESTAMPNS,
            (&raw const on).cast(),
            size_of_val(&on) as libc::socklen_t,
        )
    })
    .unwrap();
    there.write_all(b"abc").unwrap();
    assert_eq!(receive(&here, 2), (2, Some(1)));
}

#[test]
fn what_is_not_tcp_refuses_and_is_received_all_the_same() {
    let (here, mut there) = UnixStream::pair().unwrap();
    assert!(count_received(here.as_fd()).is_err());
    there.write_all(b"ab").unwrap();
    let mut buf = [0; 8];
    let received = recv_counted(here.as_fd(), &mut [IoSliceMut::new(&mut buf)]).unwrap();
    assert_eq!(received, (2, None));
}

/// Sends `bytes` with a descriptor.
fn send_with(socket: &UnixStream, bytes: &[u8], fd: BorrowedFd<'_>) {
    let part = libc::iovec {
        iov_base: bytes.as_ptr().cast_mut().cast(),
        iov_len: bytes.len(),
    };
    let mut control: Control = [0; 16];
    let length = size_of::<libc::c_int>() as u32;
    // SAFETY: as in `receive`.
    let mut message: libc::msghdr = unsafe { mem::zeroed() };
    message.msg_iov = (&raw const part).cast_mut();
    message.msg_iovlen = 1;
    message.msg_control = control.as_mut_ptr().cast();
    // SAFETY: computes.
    message.msg_controllen = unsafe { libc::CMSG_SPACE(length) } as _;
    // SAFETY: `message` names `control`, which has room for a header.
    let first = unsafe { libc::CMSG_FIRSTHDR(&raw const message) };
    // SAFETY: as above; any bits are a header.
    let header = unsafe { &mut *first };
    header.cmsg_level = libc::SOL_SOCKET;
    header.cmsg_type = libc::SCM_RIGHTS;
    // SAFETY: computes.
    header.cmsg_len = unsafe { libc::CMSG_LEN(length) } as _;
    // SAFETY: computes the address behind the header, inside of `control`.
    let data = unsafe { libc::CMSG_DATA(header) };
    // SAFETY: there is room for it.
    unsafe { data.cast::<libc::c_int>().write_unaligned(fd.as_raw_fd()) };
    // SAFETY: `message` names memory of this function, which is only read.
    let sent = unsafe { libc::sendmsg(socket.as_raw_fd(), &raw const message, 0) };
    assert_eq!(check_len(sent).unwrap(), bytes.len());
}

#[test]
fn descriptors_that_a_peer_sends_are_closed() {
    let (here, there) = UnixStream::pair().unwrap();
    for owned in [false, true] {
        let (mut reader, writer) = std::io::pipe().unwrap();
        send_with(&there, b"ab", writer.as_fd());
        drop(writer);
        let mut buf = Vec::with_capacity(8);
        let received = if owned {
            recv_owned(here.as_fd(), std::slice::from_mut(&mut buf)).unwrap()
        } else {
            buf.resize(8, 0);
            recv_counted(here.as_fd(), &mut [IoSliceMut::new(&mut buf)]).unwrap()
        };
        assert_eq!(received, (2, None));
        // SAFETY: takes integers.
        unsafe { libc::fcntl(reader.as_raw_fd(), libc::F_SETFL, libc::O_NONBLOCK) };
        // A test that forks has a copy for a moment.
        let is_open = |error: &io::Error| error.kind() == io::ErrorKind::WouldBlock;
        let mut looks = 0;
        let end = loop {
            match reader.read(&mut [0]) {
                Err(error) if is_open(&error) && looks < 1_000_000 => looks += 1,
                read => break read,
            }
        };
        assert_eq!(end.unwrap(), 0, "nobody has it");
    }
}
