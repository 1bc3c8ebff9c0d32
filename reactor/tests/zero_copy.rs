//! Buffers lent to the kernel while a peer does not read.

mod common;
use common::*;
use std::io::{Read, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpStream};
use std::os::fd::{AsRawFd, RawFd};
use std::path::PathBuf;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};
use std::time::Duration;
use wakeline_reactor::{Reactor, Source, op, time};

/// More than the receiver of [`full`] has room for.
const AHEAD: usize = 128 << 10;

/// A connection whose sender has much room, and so many bytes on the way that
/// what it sends next stays with it until the receiver reads.
fn full() -> (Source, TcpStream) {
    use socket2::{Domain, Socket, Type};
    let socket = || Socket::new(Domain::IPV4, Type::STREAM, None).unwrap();
    let listener = socket();
    listener.set_recv_buffer_size(4096).unwrap();
    let addr = SocketAddr::from((Ipv4Addr::LOCALHOST, 0));
    listener.bind(&addr.into()).unwrap();
    listener.listen(1).unwrap();
    let sender = socket();
    sender.set_send_buffer_size(1 << 20).unwrap();
    sender.connect(&listener.local_addr().unwrap()).unwrap();
    let (receiver, _) = listener.accept().unwrap();
    let mut sender = TcpStream::from(sender);
    sender.set_nonblocking(true).unwrap();
    sender.write_all(&[0; AHEAD]).unwrap();
    (Source::new(sender.into()), receiver.into())
}

/// What a descriptor of this process is, which no other socket is.
fn link(fd: RawFd) -> PathBuf {
    std::fs::read_link(format!("/proc/self/fd/{fd}")).unwrap()
}

/// Whether this process has a descriptor of what `link` told.
fn is_open(link: &PathBuf) -> bool {
    let fds = std::fs::read_dir("/proc/self/fd").unwrap();
    fds.flatten()
        .any(|fd| std::fs::read_link(fd.path()).is_ok_and(|other| other == *link))
}

fn is_uring(reactor: &Reactor) -> bool {
    reactor.backend().name() == "io_uring"
}

#[test]
fn a_loan_does_not_keep_its_socket_open() {
    for_each_driver(|reactor| {
        let (source, mut receiver) = full();
        let socket = link(source.as_raw_fd());
        let mut lent = op::ZeroCopy::new(&source, vec![1; 1000]);
        assert_eq!(lent.send(0).unwrap(), 1000);
        if is_uring(reactor) {
            let mut cx = Context::from_waker(Waker::noop());
            assert!(lent.poll_back(&mut cx).is_pending());
        }
        drop(lent);
        assert!(is_open(&socket));
        drop(source);
        assert!(!is_open(&socket), "nobody is left who could send by it");
        let lent = u64::from(is_uring(reactor));
        assert_eq!(reactor.metrics().ops_in_flight, lent);
        let mut bytes = Vec::new();
        receiver.read_to_end(&mut bytes).unwrap();
        assert_eq!(bytes.len(), AHEAD + 1000);
        assert_eq!(bytes[AHEAD..], [1; 1000]);
        turn_until(reactor, || reactor.metrics().ops_in_flight == 0);
    });
}

/// Whether less memory may be locked than all the loans of a test take.
fn locks_little() -> bool {
    let limits = std::fs::read_to_string("/proc/self/limits").unwrap();
    let line = limits.lines().find(|line| line.starts_with("Max locked"));
    let soft = line.and_then(|line| line.split_whitespace().nth(3));
    soft.is_some_and(|most| most.parse().is_ok_and(|most: u64| most < 1 << 20))
}

#[test]
fn loans_leave_room_for_other_operations() {
    for kind in drivers() {
        // 32 completions.
        let reactor = Reactor::new(&config(kind).ring_entries(8)).unwrap();
        let _entered = reactor.enter();
        let (source, mut receiver) = full();
        let mut loans = Vec::new();
        for n in 0..40 {
            let loan = op::ZeroCopy::new(&source, vec![n; 10]);
            assert_eq!(loan.send(0).unwrap(), 10, "plainly, if need be");
            loans.push(loan);
        }
        let lent = if is_uring(&reactor) { 16 } else { 0 };
        let in_flight = reactor.metrics().ops_in_flight;
        // What is lent is locked, and an ordinary user's limit may come first.
        assert!(
            in_flight == lent || (in_flight < lent && locks_little()),
            "{in_flight} of {lent}"
        );
        let fd = Arc::new(std::fs::File::open("/proc/self/exe").unwrap().into());
        let buf = Vec::with_capacity(4);
        let mut read = op::submit(op::Read { fd, buf, offset: 0 });
        turn_until(&reactor, || {
            let Poll::Ready((n, _)) = poll_once(&mut read, Waker::noop()) else {
                return false;
            };
            assert_eq!(n.unwrap(), 4);
            true
        });
        let mut bytes = vec![0; AHEAD + 400];
        receiver.read_exact(&mut bytes).unwrap();
        let expected: Vec<u8> = (0..40).flat_map(|n| [n; 10]).collect();
        assert_eq!(bytes[AHEAD..], expected, "in order");
        turn_until(&reactor, || reactor.metrics().ops_in_flight == 0);
        // There is room again.
        loans.truncate(1);
        let sent = reactor.metrics().zero_copy_sends;
        loans[0].send(0).unwrap();
        let again = reactor.metrics().zero_copy_sends - sent;
        assert_eq!(again, u64::from(is_uring(&reactor)));
        turn_until(&reactor, || reactor.metrics().ops_in_flight == 0);
    }
}

#[test]
fn paused_time_does_not_wait_for_a_buffer_that_is_lent() {
    for kind in drivers() {
        let clock = wakeline_reactor::Clock::stopped();
        let reactor = Reactor::new(&config(kind).clock(clock)).unwrap();
        let _entered = reactor.enter();
        let (source, _receiver) = full();
        let loan = op::ZeroCopy::new(&source, vec![1; 10]);
        assert_eq!(loan.send(0).unwrap(), 10);
        let mut sleep = time::sleep(Duration::from_secs(60));
        assert!(poll_once(&mut sleep, Waker::noop()).is_pending());
        turn_until(&reactor, || poll_once(&mut sleep, Waker::noop()).is_ready());
    }
}
