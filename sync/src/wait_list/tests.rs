use super::queue::Queue;
use super::*;
#[cfg(not(loom))]
use crate::testing::Count;
use std::task::Waker;

#[cfg(not(loom))]
mod order {
    use super::*;
    use proptest::prelude::*;

    #[derive(Clone, Debug)]
    enum Step {
        Push,
        Pop,
        Remove(usize),
        Find(usize),
    }

    fn steps() -> impl Strategy<Value = Vec<Step>> {
        let step = prop_oneof![
            4 => Just(Step::Push),
            1 => Just(Step::Pop),
            3 => any::<usize>().prop_map(Step::Remove),
            1 => any::<usize>().prop_map(Step::Find),
        ];
        proptest::collection::vec(step, 1..400)
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(if cfg!(miri) { 4 } else { 500 }))]

        #[test]
        fn the_queue_does_what_a_vec_does(steps in steps()) {
            let mut queue = Queue::new();
            let mut dull: Vec<Ticket> = Vec::new();
            let mut all: Vec<Ticket> = Vec::new();
            for step in steps {
                match step {
                    Step::Push => {
                        prop_assert!(all.iter().all(|old| *old < queue.next_ticket()));
                        let ticket = queue.push(Waker::noop().clone(), all.len());
                        dull.push(ticket);
                        all.push(ticket);
                    }
                    Step::Pop => {
                        let front = (!dull.is_empty()).then(|| dull.remove(0));
                        prop_assert_eq!(queue.pop_front().map(|(ticket, _)| ticket), front);
                    }
                    Step::Remove(which) if !all.is_empty() => {
                        let number = which % all.len();
                        let known = dull.iter().position(|ticket| *ticket == all[number]);
                        let expected = known.map(|at| { dull.remove(at); number });
                        prop_assert_eq!(queue.remove(all[number]).map(|waiter| waiter.data), expected);
                    }
                    Step::Find(which) if !all.is_empty() => {
                        let number = which % all.len();
                        let known = dull.contains(&all[number]).then_some(number);
                        prop_assert_eq!(queue.get_mut(all[number]).map(|waiter| waiter.data), known);
                    }
                    Step::Remove(_) | Step::Find(_) => {}
                }
                let front = dull.first().and_then(|ticket| all.iter().position(|old| old == ticket));
                prop_assert_eq!(queue.front_mut().copied(), front);
                prop_assert!(queue.entries() <= 2 * dull.len() + 66, "{} for {}", queue.entries(), dull.len());
            }
        }
    }
}

#[test]
fn a_crowd_that_gave_up_leaves_nothing_behind() {
    let mut queue = Queue::new();
    let first = queue.push(Waker::noop().clone(), ());
    let crowd: Vec<Ticket> = (0..10_000)
        .map(|_| queue.push(Waker::noop().clone(), ()))
        .collect();
    let last = queue.push(Waker::noop().clone(), ());
    for ticket in crowd {
        assert!(queue.remove(ticket).is_some());
    }
    assert!(queue.entries() < 100, "{} entries", queue.entries());
    assert!(queue.room() < 1_000, "room for {}", queue.room());
    assert_eq!(queue.pop_front().map(|(ticket, _)| ticket), Some(first));
    assert_eq!(queue.pop_front().map(|(ticket, _)| ticket), Some(last));
}

#[cfg(not(loom))]
#[test]
fn wakers_are_called_and_dropped_outside_of_the_lock() {
    use std::sync::Arc;
    use std::task::Wake;

    /// Locks the list when it is woken and when it is dropped.
    struct Nosy(Arc<WaitList<u32, ()>>);
    impl Wake for Nosy {
        fn wake(self: Arc<Self>) {}
    }
    impl Drop for Nosy {
        fn drop(&mut self) {
            *self.0.lock().state() += 1;
        }
    }
    let list = Arc::new(WaitList::new(0));
    let nosy = || Waker::from(Arc::new(Nosy(Arc::clone(&list))));

    let granted = { list.lock().push(nosy(), ()) };
    assert_eq!(list.lock().grant(), Some(granted));
    let updated = { list.lock().push(nosy(), ()) };
    assert!(list.lock().update(updated, nosy()));
    assert!(matches!(
        list.lock().cancel(updated),
        Cancelled::Waiting(())
    ));
    assert!(!list.lock().update(updated, nosy()), "it is gone");
    let _evicted = list.lock().push(nosy(), ());
    assert!(list.lock().evict().is_some());
    let _all = list.lock().push(nosy(), ());
    list.lock().grant_all();
    assert_eq!(*list.lock().state(), 6);
}

#[cfg(not(loom))]
#[test]
fn the_end_of_a_wait_tells_what_to_hand_on() {
    let list: WaitList<(), char> = WaitList::new(());
    let (count, waker) = Count::new();
    let push = |name| list.lock().push(waker.clone(), name);
    let (a, b, c, d) = (push('a'), push('b'), push('c'), push('d'));
    assert!(matches!(list.lock().cancel(b), Cancelled::Waiting('b')));
    assert_eq!(list.lock().grant(), Some(a));
    assert_eq!(list.lock().grant(), Some(c));
    assert_eq!(list.lock().evict(), Some('d'));
    assert!(matches!(list.lock().cancel(a), Cancelled::Granted));
    assert!(matches!(list.lock().cancel(d), Cancelled::Evicted));
    assert!(list.is_granted(c) && !list.is_granted(d));
    assert_eq!(count.get(), 3);
}

#[cfg(not(loom))]
#[test]
fn a_waker_is_cloned_only_for_another_task() {
    use std::sync::Arc;
    use std::task::Wake;

    struct Nothing;
    impl Wake for Nothing {
        fn wake(self: Arc<Self>) {}
    }
    let list: WaitList<(), ()> = WaitList::new(());
    let (first, second) = (Arc::new(Nothing), Arc::new(Nothing));
    let (first_waker, second_waker) = (Waker::from(first.clone()), Waker::from(second.clone()));
    let ticket = list.lock().push(first_waker.clone(), ());
    assert!(list.keep_waiting(ticket, &first_waker).is_none());
    assert_eq!(Arc::strong_count(&first), 3);
    assert!(list.keep_waiting(ticket, &second_waker).is_none());
    assert_eq!(
        (Arc::strong_count(&first), Arc::strong_count(&second)),
        (2, 3)
    );
    assert_eq!(list.lock().grant(), Some(ticket));
    assert!(list.keep_waiting(ticket, &second_waker).is_some());
}

/// A grant that is seen brings with it what was done before it, though the
/// waiter takes no lock.
#[cfg(loom)]
#[test]
fn loom_who_sees_its_grant_sees_what_came_before() {
    use loom::sync::Arc;
    use loom::sync::atomic::AtomicUsize;

    loom::model(|| {
        let list: Arc<WaitList<(), ()>> = Arc::new(WaitList::new(()));
        let written = Arc::new(AtomicUsize::new(0));
        let ticket = list.lock().push(Waker::noop().clone(), ());
        let other = loom::thread::spawn({
            let (list, written) = (list.clone(), written.clone());
            move || {
                written.store(1, Ordering::Relaxed);
                assert_eq!(list.lock().grant(), Some(ticket));
            }
        });
        if list.is_granted(ticket) {
            assert_eq!(written.load(Ordering::Relaxed), 1);
        }
        other.join().unwrap();
    });
}
