//! Asks and listens on one connection, both at once.

use std::cell::{Cell, RefCell};
use std::collections::VecDeque;
use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Instant;

use wakeline::time::{Sleep, sleep_until};

use super::link::Link;
use crate::run::{Pace, Run};
use crate::speak::{Asker, Heard, Listener};
use crate::tally::{Fault, Tally, Window};

/// How much is read at once: a whole large message, or many small ones.
const READ: usize = 64 << 10;
/// How much may wait to be sent: beyond it nothing more is asked, however deep.
const AHEAD: usize = 256 << 10;

/// What a thread's connections share.
#[derive(Debug)]
pub(crate) struct Desk {
    pub(crate) tally: RefCell<Tally>,
    /// Nobody holds it beyond a poll, so one is enough for all connections.
    buffer: RefCell<Vec<u8>>,
    pub(crate) window: Window,
    /// Connections that have nothing to wait for any more.
    pub(crate) ended: Cell<usize>,
}

impl Desk {
    pub(crate) fn new(tally: Tally, window: Window) -> Desk {
        Desk {
            tally: RefCell::new(tally),
            buffer: RefCell::new(vec![0; READ]),
            window,
            ended: Cell::new(0),
        }
    }
}

/// One connection at work.
pub(crate) struct Pump<'a> {
    run: &'a Run,
    desk: &'a Desk,
    link: &'a mut Link,
    asker: Asker<'a>,
    listener: Listener,
    pace: &'a mut Pace,
    /// Requests that are not sent yet, from `sent` on.
    out: Vec<u8>,
    sent: usize,
    /// When what is under way was due, oldest first.
    due: VecDeque<Instant>,
    timer: Option<Sleep>,
    /// Requests that may still be made.
    left: usize,
}

/// How a connection's work ended, if not by a fault.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum End {
    /// All that was asked is answered, and the time is over.
    Done,
    /// The server wants a new connection for the next request.
    Reopen,
}

impl<'a> Pump<'a> {
    pub(crate) fn new(
        run: &'a Run,
        desk: &'a Desk,
        link: &'a mut Link,
        nth: usize,
        pace: &'a mut Pace,
    ) -> Pump<'a> {
        let (asker, listener) = run.script.open(nth);
        Pump {
            run,
            desk,
            link,
            asker,
            listener,
            pace,
            out: Vec::new(),
            sent: 0,
            due: VecDeque::new(),
            timer: None,
            left: usize::MAX,
        }
    }

    /// For one request only, which was due at `due`.
    pub(crate) fn once(mut self, due: Instant) -> Pump<'a> {
        self.left = 0;
        self.asker.ask(&mut self.out);
        self.due.push_back(due);
        self
    }

    /// Whether one more may be asked, as far as the connection goes.
    fn has_room(&self) -> bool {
        self.due.len() < self.run.depth && self.out.len() - self.sent < AHEAD
    }

    fn ask(&mut self, now: Instant) {
        while self.left > 0 && self.has_room() {
            let Some(due) = self.pace.take(now, self.desk.window.until) else {
                return;
            };
            // What is sent goes as soon as it is the larger part: a socket that is
            // always full never takes all.
            if self.sent >= self.out.len() - self.sent {
                self.out.drain(..self.sent);
                self.sent = 0;
            }
            self.asker.ask(&mut self.out);
            self.due.push_back(due);
        }
    }

    /// Asks and sends, until nothing is due or the socket is full.
    fn ask_and_send(&mut self, cx: &mut Context<'_>, now: Instant) -> Result<(), Fault> {
        loop {
            self.ask(now);
            let ahead = self.out.len() - self.sent >= AHEAD;
            self.send(cx)?;
            if !ahead || self.sent < self.out.len() {
                return Ok(());
            }
        }
    }

    /// Sends until all is sent or the socket is full.
    fn send(&mut self, cx: &mut Context<'_>) -> Result<(), Fault> {
        while self.sent < self.out.len() {
            match self.link.poll_write(cx, &self.out[self.sent..]) {
                Poll::Ready(Ok(n)) => self.sent += n,
                Poll::Ready(Err(error)) => return Err(Fault::io("send", &error)),
                Poll::Pending => return Ok(()),
            }
        }
        Ok(())
    }

    /// Takes in what has come; pending if nothing has.
    fn receive(&mut self, cx: &mut Context<'_>) -> Poll<Result<Option<End>, Fault>> {
        let mut buffer = self.desk.buffer.borrow_mut();
        let n = match self.link.poll_read(cx, &mut buffer) {
            Poll::Pending => return Poll::Pending,
            Poll::Ready(Ok(n)) => n,
            Poll::Ready(Err(error)) => return Poll::Ready(Err(Fault::io("receive", &error))),
        };
        let heard = if n == 0 {
            Ok(Heard {
                answers: usize::from(self.listener.hear_end()),
                last: true,
            })
        } else {
            self.listener.hear(&buffer[..n])
        };
        drop(buffer);
        Poll::Ready(match heard {
            Ok(heard) => self.heard(heard, n == 0),
            Err((kind, what)) => Err(Fault::new(kind, what)),
        })
    }

    fn heard(&mut self, heard: Heard, closed: bool) -> Result<Option<End>, Fault> {
        let now = Instant::now();
        let mut tally = self.desk.tally.borrow_mut();
        for _ in 0..heard.answers {
            let Some(due) = self.due.pop_front() else {
                return Err(Fault::new("unasked answer", "more came than was asked for"));
            };
            // A churn counts when its connection has ended, too.
            if self.left > 0 {
                tally.answered(self.desk.window, due, now, &self.run.live);
            }
        }
        if !heard.last {
            return Ok(None);
        }
        if closed && (!self.due.is_empty() || heard.answers == 0) {
            return Err(Fault::closed(self.due.len()));
        }
        Ok(Some(End::Reopen))
    }

    fn is_done(&self, now: Instant) -> bool {
        self.due.is_empty() && (self.left == 0 || now >= self.desk.window.until)
    }

    /// Waits for what time brings; true if that has come.
    fn poll_timer(&mut self, cx: &mut Context<'_>) -> bool {
        let room = self.has_room();
        let until = self.desk.window.until;
        let at = match self.pace.wait_until(until) {
            Some(at) if room => at,
            _ if self.due.is_empty() => until,
            // The next answer wakes it, or room in the socket, and at the end the thread does.
            _ => return false,
        };
        let timer = self.timer.get_or_insert_with(|| sleep_until(at));
        if timer.deadline() != Some(at) {
            timer.reset(at);
        }
        Pin::new(timer).poll(cx).is_ready()
    }
}

impl Future for Pump<'_> {
    type Output = Result<End, Fault>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Result<End, Fault>> {
        let this = &mut *self;
        loop {
            let now = Instant::now();
            this.ask_and_send(cx, now)?;
            if this.is_done(now) {
                return Poll::Ready(Ok(End::Done));
            }
            match this.receive(cx)? {
                Poll::Ready(Some(end)) => return Poll::Ready(Ok(end)),
                Poll::Ready(None) => continue,
                Poll::Pending => {}
            }
            if !this.poll_timer(cx) {
                return Poll::Pending;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::sync::atomic::{AtomicUsize, Ordering};
    use std::task::{Wake, Waker};

    use clap::Parser;

    use super::*;
    use crate::cli::Options;
    use crate::speak::Script;
    use crate::target::Address;

    #[derive(Default)]
    struct Wakes(AtomicUsize);

    impl Wake for Wakes {
        fn wake(self: Arc<Self>) {
            self.0.fetch_add(1, Ordering::Relaxed);
        }
    }

    /// A listener that nobody accepts from, and a run against it.
    fn deaf(arguments: &str, size: usize) -> (std::net::TcpListener, Run) {
        let deaf = std::net::TcpListener::bind("127.0.0.1:0").expect("a port");
        let address = Address::Tcp(deaf.local_addr().expect("its address"));
        let options = Options::parse_from(arguments.split(' '));
        let run = Run::new(&options, address, Script::Echo { size, first: None });
        (deaf, run)
    }

    #[test]
    fn what_a_socket_does_not_take_is_not_made_ahead() {
        let (deaf, run) = deaf("load a:1 -d 10000000 -c 1 -t 1h -w 0s", 4096);
        let runtime = super::super::ours::runtime(&run).expect("it starts");
        runtime.block_on(async {
            let mut link = Link::connect(&run.address).await.expect("it listens");
            let (mut peer, _) = deaf.accept().expect("it has connected");
            let desk = Desk::new(Tally::new(), run.window());
            let mut pace = run.pace(0);
            let mut pump = Pump::new(&run, &desk, &mut link, 0, &mut pace);
            let mut taken = 0;
            let mut part = vec![0; 64 << 10];
            while taken < 64 << 20 {
                let polled = std::future::poll_fn(|cx| Poll::Ready(Pin::new(&mut pump).poll(cx)));
                assert!(polled.await.is_pending());
                assert!(pump.out.len() <= 4 * AHEAD, "{}", pump.out.len());
                // The server takes a part, and the socket is never empty.
                taken += std::io::Read::read(&mut peer, &mut part).expect("it is sent");
                wakeline::task::yield_now().await;
            }
            assert!(pump.due.len() * 4096 >= taken);
        });
    }

    #[test]
    fn when_nothing_is_asked_any_more_the_clock_is_not_looked_at() {
        // The system connects; nobody reads or answers.
        let (_deaf, run) = deaf("load a:1 --rate 1000 -c 1 -t 10ms -w 0s", 1);
        let runtime = super::super::ours::runtime(&run).expect("it starts");
        runtime.block_on(async {
            let mut link = Link::connect(&run.address).await.expect("it listens");
            let desk = Desk::new(Tally::new(), run.window());
            let mut pace = run.pace(0);
            let mut pump = Pump::new(&run, &desk, &mut link, 0, &mut pace);
            sleep_until(desk.window.until).await;

            let wakes = Arc::new(Wakes::default());
            let waker = Waker::from(Arc::clone(&wakes));
            let polled = Pin::new(&mut pump).poll(&mut Context::from_waker(&waker));
            assert!(polled.is_pending());
            assert_eq!(pump.due.len(), 10);
            assert_eq!(wakes.0.load(Ordering::Relaxed), 0);
            assert!(pump.timer.is_none());
        });
    }
}
