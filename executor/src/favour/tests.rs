//! Models of the lock: home against who is not at home, and two of those.

use super::Favour;
use crate::sync::{Arc, model, thread};

const HOME: usize = 1;

fn favouring() -> Arc<Favour<Vec<u8>>> {
    let mut lock = Favour::new(Vec::new());
    lock.favour(HOME);
    Arc::new(lock)
}

/// Adds a number while nobody else does; loom sees who is inside with whom.
fn push(lock: &Favour<Vec<u8>>, at_home: bool, number: u8) {
    let pushed = lock.with_as(at_home, |numbers| numbers.push(number));
    assert!(pushed.is_some(), "the barrier is to be had");
}

#[test]
fn loom_home_and_another_are_never_inside_together() {
    model(|| {
        let lock = favouring();
        let other = thread::spawn({
            let lock = Arc::clone(&lock);
            move || push(&lock, false, 2)
        });
        push(&lock, true, 1);
        push(&lock, true, 1);
        other.join().unwrap();
        assert_eq!(lock.with_as(true, |numbers| numbers.len()), Some(3));
    });
}

#[test]
fn loom_home_sees_what_another_did_by_its_first_look_after() {
    model(|| {
        let lock = favouring();
        let other = thread::spawn({
            let lock = Arc::clone(&lock);
            move || {
                push(&lock, false, 2);
                push(&lock, false, 3);
            }
        });
        push(&lock, true, 1);
        other.join().unwrap();
        let all = lock.with_as(true, |numbers| numbers.iter().sum::<u8>());
        assert_eq!(all, Some(6));
    });
}

#[test]
fn loom_two_others_and_home_go_one_at_a_time() {
    model(|| {
        let lock = favouring();
        let others = [2, 3].map(|number| {
            let lock = Arc::clone(&lock);
            thread::spawn(move || push(&lock, false, number))
        });
        push(&lock, true, 1);
        for other in others {
            other.join().unwrap();
        }
        let all = lock.with_as(true, |numbers| numbers.iter().sum::<u8>());
        assert_eq!(all, Some(6));
    });
}

/// Where there is no barrier, or nobody is favoured: a plain lock.
#[test]
fn loom_without_a_home_all_are_the_same() {
    model(|| {
        let lock = Arc::new(Favour::new(Vec::new()));
        let other = thread::spawn({
            let lock = Arc::clone(&lock);
            move || push(&lock, false, 2)
        });
        push(&lock, false, 1);
        other.join().unwrap();
        assert_eq!(lock.with_as(false, |numbers| numbers.len()), Some(2));
    });
}
