//! The control: blocking threads, and nothing of ours under them.
//!
//! A connection has one thread; with more than one message under way, or at a
//! rate, a second one that sends.

mod link;

use std::collections::VecDeque;
use std::net::Shutdown;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use crate::cli::Mode;
use crate::run::{Pace, RETRY_AFTER, Run};
use crate::speak::{Asker, Listener};
use crate::tally::{Fault, Tally, Window};
use link::Link;

/// How often a blocked read looks whether it is time to end.
const LOOK: Duration = Duration::from_millis(100);
/// What two sockets hold for sure.
const AT_ONCE: usize = 64 << 10;

/// The thread of the `nth` connection.
pub(crate) fn connection(run: &Run, nth: usize) -> Tally {
    let mut tally = Tally::new();
    let mut link = None;
    if run.mode != Mode::Churn {
        link = connect(run, &mut tally);
    }
    run.start.wait();
    let window = run.window();
    let mut pace = run.pace(nth);
    while Instant::now() < window.until && !run.stop.is_cancelled() {
        let mut due = Instant::now();
        if run.mode == Mode::Churn {
            match wait_due(run, &mut pace, window, || false) {
                Some(at) => due = at,
                None => break,
            }
        }
        let Some(link) = link.take().or_else(|| connect(run, &mut tally)) else {
            thread::sleep(RETRY_AFTER);
            continue;
        };
        let mut desk = Desk {
            run,
            window,
            tally: &mut tally,
        };
        let result = match run.mode {
            Mode::Stream => desk.stream(&link, nth, &mut pace),
            Mode::Churn => desk.churn(&link, nth, due),
            Mode::Idle => desk.idle(&link),
            Mode::Storm => unreachable!("refused at the start"),
        };
        if let Err(fault) = result {
            tally.failed(&fault, &run.live);
            thread::sleep(RETRY_AFTER);
        } else if run.mode == Mode::Idle {
            break; // the memory was looked at
        }
    }
    tally
}

fn connect(run: &Run, tally: &mut Tally) -> Option<Link> {
    match Link::connect(&run.address) {
        Ok(link) => {
            tally.connected(&run.live);
            Some(link)
        }
        Err(fault) => {
            tally.failed(&fault, &run.live);
            None
        }
    }
}

/// What is under way, between the thread that sends and the one that receives.
#[derive(Default)]
struct UnderWay {
    due: Mutex<VecDeque<Instant>>,
    room: Condvar,
    over: AtomicBool,
}

impl UnderWay {
    fn lock(&self) -> MutexGuard<'_, VecDeque<Instant>> {
        self.due.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Nothing is added any more; whether that was so before.
    fn end(&self) -> bool {
        let _due = self.lock();
        self.room.notify_all();
        self.over.swap(true, Ordering::Relaxed)
    }

    /// Adds what was due; false if it is over.
    fn add(&self, due: Instant) -> bool {
        let mut all = self.lock();
        let over = self.is_over();
        if !over {
            all.push_back(due);
        }
        !over
    }

    fn is_over(&self) -> bool {
        self.over.load(Ordering::Relaxed)
    }
}

struct Desk<'a> {
    run: &'a Run,
    window: Window,
    tally: &'a mut Tally,
}

impl Desk<'_> {
    fn stream(&mut self, link: &Link, nth: usize, pace: &mut Pace) -> Result<(), Fault> {
        let (mut asker, mut listener) = self.run.script.open(nth);
        if self.run.depth == 1 && !pace.is_open() {
            return self.one_by_one(link, &mut asker, &mut listener, pace);
        }
        let under_way = UnderWay::default();
        let (run, window) = (self.run, self.window);
        thread::scope(|scope| {
            let sender = scope.spawn(|| {
                let sent = send(run, window, link, &mut asker, pace, &under_way);
                under_way.end();
                if sent.is_err() {
                    drop(link.shutdown(Shutdown::Both)); // ends the receiver
                }
                sent
            });
            let received = self.receive(link, &mut listener, &under_way);
            let sender_was_first = under_way.end();
            if received.is_err() || !under_way.lock().is_empty() {
                // The sender may sit in a write that nobody takes.
                drop(link.shutdown(Shutdown::Both));
            }
            let sent = sender
                .join()
                .unwrap_or_else(|panic| std::panic::resume_unwind(panic));
            // Else what it says is our own doing.
            if sender_was_first {
                sent.and(received)
            } else {
                received
            }
        })
    }

    fn one_by_one(
        &mut self,
        link: &Link,
        asker: &mut Asker<'_>,
        listener: &mut Listener,
        pace: &mut Pace,
    ) -> Result<(), Fault> {
        let (mut out, mut buffer) = (Vec::new(), vec![0; 64 << 10]);
        while let Some(due) = pace.take(Instant::now(), self.window.until) {
            if self.run.stop.is_cancelled() {
                break;
            }
            out.clear();
            asker.ask(&mut out);
            // A message that does not fit into the sockets comes back while it is sent.
            let answers = self.exchange(link, listener, &out, &mut buffer)?;
            let Some(last) = answers else { return Ok(()) };
            self.tally
                .answered(self.window, due, Instant::now(), &self.run.live);
            if last {
                return Ok(());
            }
        }
        drop(link.shutdown(Shutdown::Write)); // gone already, it may be
        Ok(())
    }

    /// One request and its answer; whether it was the last. `None`: Ctrl-C.
    fn exchange(
        &self,
        link: &Link,
        listener: &mut Listener,
        out: &[u8],
        buffer: &mut [u8],
    ) -> Result<Option<bool>, Fault> {
        if out.len() <= AT_ONCE {
            link.send(out)?;
            return self.answer(link, listener, buffer);
        }
        // More than the sockets hold: it comes back while it is sent.
        thread::scope(|scope| {
            let sender = scope.spawn(|| link.send(out));
            let heard = self.answer(link, listener, buffer);
            if !matches!(heard, Ok(Some(_))) {
                drop(link.shutdown(Shutdown::Both)); // ends the sender
            }
            let sent = sender
                .join()
                .unwrap_or_else(|panic| std::panic::resume_unwind(panic));
            match heard {
                Ok(Some(_)) => sent.and(heard),
                _ => heard, // that the sender failed then is our own doing
            }
        })
    }

    fn answer(
        &self,
        link: &Link,
        listener: &mut Listener,
        buffer: &mut [u8],
    ) -> Result<Option<bool>, Fault> {
        loop {
            match link.receive(buffer)? {
                None => {}
                Some(0) if listener.hear_end() => return Ok(Some(true)),
                Some(0) => return Err(Fault::closed(1)),
                Some(n) => match listener.hear(&buffer[..n]) {
                    Ok(heard) if heard.answers == 1 => return Ok(Some(heard.last)),
                    Ok(heard) if heard.answers > 1 => return Err(unasked()),
                    Ok(_) => {}
                    Err((kind, what)) => return Err(Fault::new(kind, what)),
                },
            }
            if !self.waits_on()? {
                return Ok(None);
            }
        }
    }

    /// Whether to wait on for what is due; false after Ctrl-C.
    fn waits_on(&self) -> Result<bool, Fault> {
        if self.run.stop.is_cancelled() {
            Ok(false)
        } else if Instant::now() > self.window.patience {
            Err(Fault::unanswered())
        } else {
            Ok(true)
        }
    }

    fn receive(
        &mut self,
        link: &Link,
        listener: &mut Listener,
        under_way: &UnderWay,
    ) -> Result<(), Fault> {
        let mut buffer = vec![0; 64 << 10];
        loop {
            let n = match link.receive(&mut buffer)? {
                Some(n) => n,
                None => {
                    let left = under_way.lock().len();
                    if (left == 0 && under_way.is_over()) || !self.waits_on()? {
                        return Ok(());
                    }
                    continue;
                }
            };
            let heard = if n == 0 {
                let answers = usize::from(listener.hear_end());
                crate::speak::Heard {
                    answers,
                    last: true,
                }
            } else {
                listener
                    .hear(&buffer[..n])
                    .map_err(|(kind, what)| Fault::new(kind, what))?
            };
            let now = Instant::now();
            let mut due = under_way.lock();
            for _ in 0..heard.answers {
                let due = due.pop_front();
                let due = due.ok_or_else(unasked)?;
                self.tally.answered(self.window, due, now, &self.run.live);
            }
            under_way.room.notify_one();
            let left = due.len();
            drop(due);
            if heard.last {
                return if n == 0 && left > 0 {
                    Err(Fault::closed(left))
                } else {
                    Ok(())
                };
            }
            if left == 0 && under_way.is_over() {
                return Ok(());
            }
            if now > self.window.patience {
                return Err(Fault::unanswered());
            }
        }
    }

    fn churn(&mut self, link: &Link, nth: usize, due: Instant) -> Result<(), Fault> {
        let (mut asker, mut listener) = self.run.script.open(nth);
        let (mut out, mut buffer) = (Vec::new(), vec![0; 64 << 10]);
        asker.ask(&mut out);
        if self
            .exchange(link, &mut listener, &out, &mut buffer)?
            .is_none()
        {
            return Ok(());
        }
        let shut = link.shutdown(Shutdown::Write);
        shut.map_err(|error| Fault::io("shutdown", &error))?;
        loop {
            match link.receive(&mut buffer[..1])? {
                Some(0) => break,
                Some(_) => return Err(unasked()),
                None if !self.waits_on()? => return Ok(()),
                None => {}
            }
        }
        self.tally
            .answered(self.window, due, Instant::now(), &self.run.live);
        Ok(())
    }

    fn idle(&mut self, link: &Link) -> Result<(), Fault> {
        while !self.run.sampled.is_cancelled() && !self.run.stop.is_cancelled() {
            match link.receive(&mut [0])? {
                None => {}
                Some(0) => return Err(Fault::closed(0)),
                Some(_) => {
                    return Err(Fault::new(
                        "unasked answer",
                        "bytes came on an idle connection",
                    ));
                }
            }
        }
        Ok(())
    }
}

/// Sleeps until the next message is due; `None` at the end.
fn wait_due(
    run: &Run,
    pace: &mut Pace,
    window: Window,
    is_over: impl Fn() -> bool,
) -> Option<Instant> {
    let until = window.until;
    loop {
        if run.stop.is_cancelled() || is_over() {
            return None;
        }
        let now = Instant::now();
        if now > window.patience {
            return None;
        }
        if let Some(due) = pace.take(now, until) {
            return Some(due); // also late: it was due in time
        }
        if now >= until {
            return None;
        }
        let at = pace.wait_until(until).unwrap_or(until);
        thread::sleep(at.saturating_duration_since(now).min(LOOK));
    }
}

fn send(
    run: &Run,
    window: Window,
    link: &Link,
    asker: &mut Asker<'_>,
    pace: &mut Pace,
    under_way: &UnderWay,
) -> Result<(), Fault> {
    let mut out = Vec::new();
    loop {
        let full = |due: &mut VecDeque<Instant>| due.len() >= run.depth && !under_way.is_over();
        let waited = under_way.room.wait_while(under_way.lock(), full);
        drop(waited.unwrap_or_else(PoisonError::into_inner));
        let before = *pace;
        let Some(due) = wait_due(run, pace, window, || under_way.is_over()) else {
            return Ok(());
        };
        if !under_way.add(due) {
            *pace = before; // for the next connection
            return Ok(());
        }
        out.clear();
        asker.ask(&mut out);
        link.send(&out)?;
    }
}

fn unasked() -> Fault {
    Fault::new("unasked answer", "more came than was asked for")
}
