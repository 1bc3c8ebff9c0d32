use super::*;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::Wake;

/// Counts its wakes. Not loom's counter: it is looked at after the joins.
struct Count(AtomicUsize);

impl Wake for Count {
    fn wake(self: Arc<Self>) {
        self.0.fetch_add(1, Ordering::SeqCst);
    }
}

fn counter() -> (Arc<Count>, Waker) {
    let count = Arc::new(Count(AtomicUsize::new(0)));
    (Arc::clone(&count), Waker::from(count))
}

const READ: Event = Event {
    read: READY,
    write: 0,
};

fn armed() -> State<u32> {
    let state = State::new();
    state.arm(Direction::Read, |_| Ok((1, false))).unwrap();
    state
}

#[cfg(not(loom))]
mod tables {
    use super::*;

    #[test]
    fn poll_bits_become_readiness() {
        let hup = READY | CLOSED;
        let cases = [
            (libc::EPOLLIN, READY, 0),
            (libc::EPOLLOUT, 0, READY),
            (libc::EPOLLIN | libc::EPOLLRDHUP, hup, 0),
            (libc::EPOLLPRI, 0, 0),
            (libc::EPOLLHUP, hup, hup),
            (libc::EPOLLERR, hup, hup),
            (libc::EPOLLIN | libc::EPOLLOUT, READY, READY),
            (0, 0, 0),
        ];
        for (bits, read, write) in cases {
            assert_eq!(Event::from_poll(bits), Event { read, write }, "{bits:#x}");
        }
    }

    #[test]
    fn an_event_wakes_only_those_of_its_direction() {
        let state = armed();
        state
            .readiness(Direction::Write)
            .clear(state.readiness(Direction::Write).look());
        let (_, waker) = counter();
        let (mut reader, mut writer) = (Who::Future(None), Who::Future(None));
        assert_eq!(
            state.wait(Direction::Read, &mut reader, &waker),
            Wait::Listed
        );
        assert_eq!(
            state.wait(Direction::Write, &mut writer, &waker),
            Wait::NotArmed
        );
        let mut out = Vec::new();
        state.deliver(
            Event {
                read: 0,
                write: READY,
            },
            &mut out,
        );
        assert_eq!(out.len(), 1);
        state.deliver(READ, &mut out);
        assert_eq!(out.len(), 2);
    }

    #[test]
    fn a_future_that_goes_without_an_event_leaves_the_list() {
        let state = armed();
        let (_, waker) = counter();
        let mut who = Who::Future(None);
        assert_eq!(state.wait(Direction::Read, &mut who, &waker), Wait::Listed);
        state.unlist(Direction::Read, who, || false);
        let mut left = Vec::new();
        state.deliver(READ, &mut left);
        assert!(left.is_empty());
    }

    #[test]
    fn a_failed_watch_tells_its_error_once() {
        let state = armed();
        let mut out = Vec::new();
        state.disarm(|key| *key == 1, Some(libc::ENOMEM), &mut out);
        let (_, waker) = counter();
        let wait = state.wait(Direction::Read, &mut Who::Slot, &waker);
        assert_eq!(wait, Wait::Ready, "to look at the error");
        let error = state.take_error(Direction::Read).unwrap();
        assert_eq!(error.raw_os_error(), Some(libc::ENOMEM));
        assert!(state.take_error(Direction::Read).is_none());
        assert_eq!(
            state.wait(Direction::Read, &mut Who::Slot, &waker),
            Wait::NotArmed
        );
    }

    #[test]
    fn a_watch_for_both_directions_leaves_an_earlier_one_alone() {
        let state = armed();
        let make = |beside: Option<&u32>| {
            assert_eq!(beside, Some(&1), "it is told of the other");
            Ok((2, true))
        };
        state.arm(Direction::Write, make).unwrap();
        assert_eq!(state.release(&mut Vec::new(), || false), [Some(1), Some(2)]);
        let state = State::new();
        state.arm(Direction::Write, |_| Ok((3, true))).unwrap();
        assert_eq!(state.release(&mut Vec::new(), || false), [Some(3), Some(3)]);
    }

    #[test]
    fn the_end_of_one_watch_is_not_the_end_of_another() {
        let state = armed();
        state.arm(Direction::Write, |_| Ok((2, false))).unwrap();
        state.disarm(|key| *key == 2, None, &mut Vec::new());
        assert_eq!(state.release(&mut Vec::new(), || false), [Some(1), None]);
    }

    /// It would wait for ever for a thread that is not in its process.
    #[test]
    fn a_forked_child_lets_go_of_what_a_thread_of_its_parent_has_locked() {
        let state = armed();
        let (_, waker) = counter();
        let mut who = Who::Future(None);
        assert_eq!(state.wait(Direction::Read, &mut who, &waker), Wait::Listed);
        let held = state.sides.lock();
        state.unlist(Direction::Read, who, || true);
        let mut left = Vec::new();
        assert_eq!(state.release(&mut left, || true), [None, None]);
        assert!(left.is_empty());
        drop(held);
        assert_eq!(state.release(&mut left, || true), [Some(1), None]);
        assert_eq!(left.len(), 1, "as always where nobody has it");
    }
}

#[cfg(loom)]
mod models {
    use super::*;
    use loom::thread;

    /// A future that lists itself while an event comes is woken, or told.
    #[test]
    fn loom_a_wait_that_races_with_an_event_is_woken_or_told() {
        loom::model(|| {
            let state = Arc::new(armed());
            let (count, waker) = counter();
            let driver = thread::spawn({
                let state = Arc::clone(&state);
                move || {
                    let mut out = Vec::new();
                    state.deliver(READ, &mut out);
                    out.into_iter().for_each(Waker::wake);
                }
            });
            let wait = state.wait(Direction::Read, &mut Who::Future(None), &waker);
            driver.join().unwrap();
            let woken = count.0.load(Ordering::SeqCst);
            match wait {
                Wait::Ready => assert!(woken <= 1),
                Wait::Listed => assert_eq!(woken, 1),
                Wait::NotArmed => unreachable!("it is armed from the start"),
            }
        });
    }

    /// A future that goes while an event comes leaves no waker behind: either it
    /// takes its own, or the event has.
    #[test]
    fn loom_a_future_that_goes_while_an_event_comes_is_listed_no_more() {
        loom::model(|| {
            let state = Arc::new(armed());
            let (_, waker) = counter();
            let mut who = Who::Future(None);
            let driver = thread::spawn({
                let state = Arc::clone(&state);
                move || {
                    let mut out = Vec::new();
                    state.deliver(READ, &mut out);
                }
            });
            let _ = state.wait(Direction::Read, &mut who, &waker);
            let readiness = state.readiness(Direction::Read);
            readiness.clear(readiness.look());
            let _ = state.wait(Direction::Read, &mut who, &waker);
            state.unlist(Direction::Read, who, || false);
            driver.join().unwrap();
            let mut left = Vec::new();
            state.release(&mut left, || false);
            assert!(left.is_empty());
        });
    }

    /// Try, find nothing, clear, wait: an event anywhere in between is met.
    #[test]
    fn loom_a_try_that_races_with_an_event_never_sleeps_over_it() {
        loom::model(|| {
            let state = Arc::new(armed());
            let mut out = Vec::new();
            state.deliver(READ, &mut out); // from an earlier time
            let (count, waker) = counter();
            let driver = thread::spawn({
                let state = Arc::clone(&state);
                move || {
                    let mut out = Vec::new();
                    state.deliver(READ, &mut out);
                    out.into_iter().for_each(Waker::wake);
                }
            });
            let readiness = state.readiness(Direction::Read);
            readiness.clear(readiness.look());
            let wait = state.wait(Direction::Read, &mut Who::Slot, &waker);
            driver.join().unwrap();
            if wait == Wait::Listed {
                // Either the event woke it, or it was over before the look.
                let woken = count.0.load(Ordering::SeqCst) == 1;
                assert!(woken || !readiness.look().is_ready());
            }
        });
    }

    /// A watch that ends under a waiter wakes it, so that it arms again.
    #[test]
    fn loom_a_wait_that_races_with_the_end_of_its_watch_arms_again() {
        loom::model(|| {
            let state = Arc::new(armed());
            let (count, waker) = counter();
            let driver = thread::spawn({
                let state = Arc::clone(&state);
                move || {
                    let mut out = Vec::new();
                    state.disarm(|_| true, None, &mut out);
                    out.into_iter().for_each(Waker::wake);
                }
            });
            let wait = state.wait(Direction::Read, &mut Who::Future(None), &waker);
            driver.join().unwrap();
            if wait == Wait::Listed {
                assert_eq!(count.0.load(Ordering::SeqCst), 1);
            }
        });
    }

    /// Two futures on two threads share one watch, and both are woken.
    #[test]
    fn loom_two_waiters_arm_once_and_are_both_woken() {
        loom::model(|| {
            let state = Arc::new(State::<u32>::new());
            let made = Arc::new(AtomicUsize::new(0));
            let wait = |state: Arc<State<u32>>, made: Arc<AtomicUsize>, waker: Waker| {
                if state.wait(Direction::Read, &mut Who::Future(None), &waker) == Wait::NotArmed {
                    let make =
                        |_: Option<&u32>| Ok((made.fetch_add(1, Ordering::SeqCst) as u32, false));
                    state.arm(Direction::Read, make).unwrap();
                }
            };
            let ((first, waker), (second, other)) = (counter(), counter());
            let thread = thread::spawn({
                let (state, made) = (Arc::clone(&state), Arc::clone(&made));
                move || wait(state, made, other)
            });
            wait(Arc::clone(&state), Arc::clone(&made), waker);
            thread.join().unwrap();
            assert_eq!(made.load(Ordering::SeqCst), 1);
            let mut out = Vec::new();
            state.deliver(READ, &mut out);
            out.into_iter().for_each(Waker::wake);
            assert_eq!(first.0.load(Ordering::SeqCst), 1);
            assert_eq!(second.0.load(Ordering::SeqCst), 1);
        });
    }
}
