use super::*;

#[cfg(not(loom))]
#[test]
fn an_event_since_the_look_survives_the_clearing() {
    let word = Readiness::pessimistic();
    word.event(READY);
    let seen = word.look();
    word.event(READY);
    word.clear(seen);
    assert!(word.look().is_ready());
    word.clear(word.look());
    assert!(!word.look().is_ready());
}

#[cfg(not(loom))]
#[test]
fn a_short_read_clears_unless_closed() {
    for (bits, still_ready) in [(READY, false), (READY | CLOSED, true)] {
        let word = Readiness::pessimistic();
        word.event(bits);
        word.clear_short(word.look());
        assert_eq!(word.look().is_ready(), still_ready, "{bits:b}");
    }
}

#[cfg(not(loom))]
#[test]
fn a_short_read_may_be_told_if_it_is_believed_or_clears_nothing() {
    for (bits, quiet) in [
        (READY, false),
        (READY | EXACT, true),
        (READY | EXACT | URGENT, false),
        (READY | CLOSED, true),
        (READY | CLOSED | URGENT, true),
    ] {
        let word = Readiness::pessimistic();
        word.event(bits);
        let seen = word.look();
        assert_eq!(seen.is_quiet(), quiet, "{bits:b}");
    }
    // Of an event that closes while a read is under way, the word knows.
    let word = Readiness::pessimistic();
    word.event(READY);
    let seen = word.look();
    word.event(READY | CLOSED);
    assert!(word.look().is_quiet());
    word.clear_short(seen);
    assert!(word.look().is_ready());
}

#[cfg(not(loom))]
#[test]
fn closed_ends_with_would_block() {
    let word = Readiness::pessimistic();
    word.event(READY | CLOSED);
    word.clear(word.look());
    word.event(READY);
    word.clear_short(word.look());
    assert!(!word.look().is_ready(), "closed is forgotten");
}

#[cfg(loom)]
mod models {
    use super::*;
    use loom::sync::atomic::AtomicBool;
    use loom::thread;
    use std::sync::Arc;

    struct Socket {
        data: AtomicBool,
        readiness: Readiness,
    }

    /// The kernel has data, and the driver says so, at any moment of a try
    /// that then clears: whoever missed the data finds the bit.
    fn the_event_survives(clear: fn(&Readiness, Seen)) {
        loom::model(move || {
            let readiness = Readiness::pessimistic();
            readiness.event(READY); // from an earlier time
            let socket = Arc::new(Socket {
                data: AtomicBool::new(false),
                readiness,
            });
            let driver = thread::spawn({
                let socket = Arc::clone(&socket);
                move || {
                    socket.data.store(true, Ordering::Release);
                    socket.readiness.event(READY);
                }
            });
            let seen = socket.readiness.look();
            let found = socket.data.load(Ordering::Acquire);
            clear(&socket.readiness, seen);
            driver.join().unwrap();
            assert!(found || socket.readiness.look().is_ready());
        });
    }

    #[test]
    fn loom_an_event_survives_a_would_block() {
        the_event_survives(Readiness::clear);
    }

    #[test]
    fn loom_an_event_survives_a_short_read() {
        the_event_survives(Readiness::clear_short);
    }

    /// A read that goes by the close stops at an urgent mark and is told as
    /// short, while the close is told at any moment: it is not the last read.
    #[test]
    fn loom_a_short_read_that_goes_by_a_close_clears_nothing() {
        loom::model(|| {
            let readiness = Arc::new(Readiness::pessimistic());
            readiness.event(READY);
            let driver = thread::spawn({
                let readiness = Arc::clone(&readiness);
                move || readiness.event(READY | CLOSED)
            });
            let seen = readiness.look();
            thread::yield_now(); // loom does not come in between two looks else
            // A look of its own, after that of the try: see `Source::is_quiet`.
            let believed = readiness.look().is_quiet();
            readiness.clear_short(seen);
            driver.join().unwrap();
            assert!(!believed || readiness.look().is_ready());
        });
    }

    /// Two drivers at a time, one clearing: no bit of either is lost.
    #[test]
    fn loom_events_of_two_drivers_add_up() {
        loom::model(|| {
            let readiness = Arc::new(Readiness::pessimistic());
            let other = thread::spawn({
                let readiness = Arc::clone(&readiness);
                move || readiness.event(READY | CLOSED)
            });
            readiness.event(READY);
            other.join().unwrap();
            readiness.clear_short(readiness.look());
            assert!(readiness.look().is_ready(), "closed: it stays");
            assert_eq!(readiness.look().0 / EVENT, 2);
        });
    }
}
