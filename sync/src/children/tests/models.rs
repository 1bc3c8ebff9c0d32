//! Races between a wake and the poll, another wake, and the end of a child.

use super::super::*;
use crate::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use loom::thread;
use std::future::poll_fn;
use std::task::Wake;

/// The task's waker: says whether it was woken.
#[derive(Debug, Default)]
struct Woken(AtomicUsize);

impl Wake for Woken {
    fn wake(self: Arc<Self>) {
        self.0.fetch_add(1, Ordering::Relaxed);
    }
}

fn task() -> (Arc<Woken>, Waker) {
    let woken = Arc::new(Woken::default());
    (Arc::clone(&woken), Waker::from(woken))
}

type Local<T> = Pin<Box<dyn Future<Output = T>>>;

/// The waker that a child has at its first poll.
fn first_waker(children: &mut Children<Local<()>>, polls: &Arc<AtomicUsize>) -> Waker {
    let seen = Arc::new(std::sync::Mutex::new(None));
    children.insert(Box::pin({
        let (seen, polls) = (Arc::clone(&seen), Arc::clone(polls));
        poll_fn(move |cx| {
            polls.fetch_add(1, Ordering::Relaxed);
            seen.lock()
                .unwrap()
                .get_or_insert_with(|| cx.waker().clone());
            Poll::Pending
        })
    }));
    let mut cx = Context::from_waker(Waker::noop());
    assert!(children.poll_next(&mut cx).is_pending());
    seen.lock().unwrap().take().expect("it was polled")
}

/// What a wake announces is seen by a poll that the wake causes: none is lost.
#[test]
fn loom_a_wake_that_races_with_the_poll_is_never_lost() {
    loom::model(|| {
        let (woken, waker) = task();
        let done = Arc::new(AtomicBool::new(false));
        let seen = Arc::new(std::sync::Mutex::new(None));
        let mut children: Children<Local<()>> = Children::new();
        children.insert(Box::pin({
            let (done, seen) = (Arc::clone(&done), Arc::clone(&seen));
            poll_fn(move |cx| {
                seen.lock()
                    .unwrap()
                    .get_or_insert_with(|| cx.waker().clone());
                if done.load(Ordering::Relaxed) {
                    Poll::Ready(())
                } else {
                    Poll::Pending
                }
            })
        }));
        let mut cx = Context::from_waker(Waker::noop());
        assert!(children.poll_next(&mut cx).is_pending());
        let child = seen.lock().unwrap().take().expect("it was polled");
        // An earlier wake, so that the poll and the wake below meet.
        child.wake_by_ref();
        let other = thread::spawn({
            let done = Arc::clone(&done);
            move || {
                done.store(true, Ordering::Relaxed);
                child.wake();
            }
        });
        let mut cx = Context::from_waker(&waker);
        let finished = children.poll_next(&mut cx).is_ready();
        other.join().unwrap();
        if !finished {
            assert_eq!(
                woken.0.load(Ordering::Relaxed),
                1,
                "it would sleep for ever"
            );
            assert!(children.poll_next(&mut cx).is_ready());
        }
    });
}

/// Two wakes of one child queue it once, and wake the task once.
#[test]
fn loom_two_wakes_queue_a_child_once() {
    loom::model(|| {
        let (woken, waker) = task();
        let polls = Arc::new(AtomicUsize::new(0));
        let mut children = Children::new();
        let child = first_waker(&mut children, &polls);
        let mut cx = Context::from_waker(&waker);
        assert!(children.poll_next(&mut cx).is_pending());
        let other = thread::spawn({
            let child = child.clone();
            move || child.wake()
        });
        child.wake();
        other.join().unwrap();
        assert_eq!(woken.0.load(Ordering::Relaxed), 1);
        assert!(children.poll_next(&mut cx).is_pending());
        assert_eq!(polls.load(Ordering::Relaxed), 2);
    });
}

/// A wake that meets the end of its child is not taken for one of the next
/// child at the same place.
#[test]
fn loom_a_wake_of_a_removed_child_polls_no_other() {
    loom::model(|| {
        let (_woken, waker) = task();
        let (first, second) = (Arc::default(), Arc::default());
        let mut children = Children::new();
        let child = first_waker(&mut children, &first);
        let key = children.keys()[0];
        let other = thread::spawn(move || child.wake());
        drop(children.remove(key));
        let _next = first_waker(&mut children, &second);
        other.join().unwrap();
        let mut cx = Context::from_waker(&waker);
        assert!(children.poll_next(&mut cx).is_pending());
        assert_eq!(first.load(Ordering::Relaxed), 1);
        assert_eq!(
            second.load(Ordering::Relaxed),
            1,
            "it had no wake but its first"
        );
    });
}

/// A nudge that meets the poll is not lost: what it announces was seen by the
/// poll, or the task was woken.
#[test]
fn loom_a_nudge_is_never_lost() {
    loom::model(|| {
        let (woken, waker) = task();
        let mut children: Children<Local<()>> = Children::new();
        let nudge = children.nudge();
        let news = Arc::new(AtomicBool::new(false));
        let other = thread::spawn({
            let news = Arc::clone(&news);
            move || {
                news.store(true, Ordering::Release);
                nudge.wake();
            }
        });
        let seen = news.load(Ordering::Acquire);
        let mut cx = Context::from_waker(&waker);
        let _ = children.poll_next(&mut cx);
        other.join().unwrap();
        assert!(seen || woken.0.load(Ordering::Relaxed) == 1);
    });
}
