//! Trees of tokens and sets of futures, changed while others look.

use crate::{Arc, AtomicUsize, Relaxed, block_on, coin, explore, perhaps, thread};
use std::future::poll_fn;
use std::pin::Pin;
use wakeline_context::Reason;
use wakeline_sync::cancel::Node;
use wakeline_sync::children::Children;
use wakeline_sync::{Event, oneshot};

/// Finds `a-birth-looks-before-the-lock`, `a-leaving-child-takes-the-last-entry`,
/// `two-cancels-both-look-first`, `a-later-cancel-overwrites-the-reason`.
#[test]
fn children_born_and_dropped_during_a_cancel_all_hear_it_with_one_reason() {
    explore(|| {
        let root = Node::root();
        let branch = root.child();
        let growing: Vec<_> = (0..2)
            .map(|_| {
                let branch = branch.clone();
                thread::spawn(move || {
                    let mut kept = Vec::new();
                    let mut under = branch;
                    for _ in 0..3 {
                        let child = under.child();
                        if coin() {
                            drop(child.child());
                        }
                        if coin() {
                            kept.push(std::mem::replace(&mut under, child));
                        }
                    }
                    kept.push(under);
                    // To the end, or until it has had enough.
                    perhaps(kept[kept.len() - 1].cancelled());
                    for node in &kept {
                        block_on(node.cancelled());
                    }
                    kept
                })
            })
            .collect();
        let cancels = ["first", "second"].map(|reason| {
            let node = if coin() { root.clone() } else { branch.clone() };
            thread::spawn(move || node.cancel(Reason::new(reason)))
        });
        let did: usize = cancels
            .map(|thread| usize::from(thread.join().unwrap()))
            .iter()
            .sum();
        assert!(did == 1 || did == 2 && !branch.ptr_eq(&root));
        let reason = branch.reason().expect("it was cancelled").text().to_owned();
        for thread in growing {
            for node in thread.join().unwrap() {
                assert_eq!(node.reason().expect("and so was this").text(), reason);
            }
        }
        assert!(branch.child().is_cancelled());
    });
}

/// Finds `a-shield-comes-off-after-the-look`.
#[test]
fn a_shield_that_comes_off_lets_through_what_it_kept() {
    explore(|| {
        let root = Node::root();
        let shielded = root.shielded_child();
        let below = shielded.child();
        let waits = thread::spawn({
            let below = below.clone();
            move || block_on(below.cancelled()).text().to_owned()
        });
        let cancels = thread::spawn(move || root.cancel(Reason::new("all")));
        let own = thread::spawn({
            let shielded = shielded.clone();
            move || coin() && shielded.cancel(Reason::new("own"))
        });
        thread::yield_now();
        shielded.set_shielded(false);
        cancels.join().unwrap();
        let own = own.join().unwrap();
        let heard = waits.join().unwrap();
        assert_eq!(heard, if own { "own" } else { "all" });
        assert_eq!(shielded.reason().unwrap().text(), heard);
    });
}

type Child = Pin<Box<dyn Future<Output = usize> + Send>>;

/// Finds `a-child-is-marked-after-its-poll`, `a-set-does-not-look-again`.
#[test]
fn a_set_of_children_woken_from_threads_gives_each_output_once() {
    explore(|| {
        let mut children: Children<Child> = Children::new();
        let event = Arc::new(Event::new());
        let mut threads = Vec::new();
        for id in 0..3 {
            let (sender, receiver) = oneshot::channel();
            let event = Arc::clone(&event);
            children.insert(Box::pin(async move {
                let value = receiver.await.unwrap_or(usize::MAX);
                event.wait().await;
                value
            }));
            threads.push(thread::spawn(move || match coin() {
                true => {
                    let _ = sender.send(id);
                }
                false => drop(sender),
            }));
        }
        let extra = Arc::clone(&event);
        let removed = children.insert(Box::pin(async move {
            extra.wait().await;
            9
        }));
        threads.push(thread::spawn(move || event.set()));
        let polls = AtomicUsize::new(0);
        let mut outputs = Vec::new();
        let mut remove = coin();
        loop {
            // Now and then it is another thread's waker that is left behind.
            let next = perhaps(poll_fn(|cx| {
                polls.fetch_add(1, Relaxed);
                children.poll_next(cx)
            }));
            match next {
                Some(Some((_, output))) => outputs.push(output.unwrap()),
                Some(None) => break,
                None => {}
            }
            if std::mem::take(&mut remove) {
                let gone = children.remove(removed);
                outputs.extend(gone.map(|_| 9));
            }
        }
        for thread in threads {
            thread.join().unwrap();
        }
        outputs.retain(|output| *output != usize::MAX);
        outputs.sort_unstable();
        let before = outputs.len();
        outputs.dedup();
        assert_eq!((before, outputs.last()), (outputs.len(), Some(&9)));
    });
}
