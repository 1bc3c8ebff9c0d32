use super::*;

const MS: Duration = Duration::from_millis(1);

/// The delays until it gives up, and why.
fn delays(policy: Retry, deadline_ms: Option<u32>) -> (Vec<Duration>, GaveUp) {
    let start = Instant::now();
    let mut now = start;
    let deadline = deadline_ms.map(|ms| start + MS * ms);
    let mut schedule = Schedule::new(policy, start);
    let mut delays = Vec::new();
    loop {
        schedule.begin();
        match schedule.next(now, deadline) {
            Ok(due) => {
                let due = due.expect("not never");
                delays.push(due - now);
                now = due;
            }
            Err(why) => {
                assert_eq!(schedule.made() as usize, delays.len() + 1);
                return (delays, why);
            }
        }
    }
}

#[test]
fn no_delay_times_anything_is_none() {
    let policy = Retry::fixed(Duration::ZERO).factor(f64::INFINITY);
    let policy = policy.jitter(Jitter::None).attempts(4);
    assert_eq!(delays(policy, None), (ms(&[0, 0, 0]), GaveUp::Attempts));
}

fn ms(delays: &[u32]) -> Vec<Duration> {
    delays.iter().map(|&delay| MS * delay).collect()
}

#[test]
fn the_delays_grow_up_to_the_cap() {
    // (policy, delays in milliseconds)
    for (policy, expected) in [
        (Retry::fixed(MS * 7), &[7, 7, 7, 7][..]),
        (Retry::exponential(MS * 100), &[100, 200, 400, 800]),
        (
            Retry::exponential(MS * 100).factor(3.0),
            &[100, 300, 900, 2_700],
        ),
        (
            Retry::exponential(MS * 100).cap(MS * 250),
            &[100, 200, 250, 250],
        ),
        (Retry::exponential(MS * 100).cap(MS * 50), &[50, 50, 50, 50]),
        (Retry::fixed(Duration::ZERO), &[0, 0, 0, 0]),
    ] {
        let (delays, why) = delays(policy.attempts(5), None);
        assert_eq!((delays, why), (ms(expected), GaveUp::Attempts));
    }
    assert_eq!(delays(Retry::fixed(MS).attempts(1), None).0, []);
}

#[test]
fn nothing_is_due_after_the_deadline() {
    let policy = Retry::exponential(MS * 100);
    // (within, deadline around it, delays), all in milliseconds
    for (within, deadline, expected) in [
        (Some(700), None, &[100, 200, 400][..]),
        (Some(699), None, &[100, 200]),
        (None, Some(300), &[100, 200]),
        (Some(700), Some(100), &[100]),
        (Some(0), None, &[]),
    ] {
        let policy = match within {
            Some(within) => policy.clone().within(MS * within),
            None => policy.clone(),
        };
        let got = delays(policy, deadline);
        assert_eq!(
            got,
            (ms(expected), GaveUp::Deadline),
            "{within:?} {deadline:?}"
        );
    }
}

#[test]
fn chance_stays_in_its_bounds_and_repeats_itself() {
    let policy = Retry::fixed(MS * 100).attempts(1_000).seed(7);
    for (jitter, least) in [(Jitter::Half, MS * 50), (Jitter::Full, Duration::ZERO)] {
        let policy = policy.clone().jitter(jitter);
        let (first, _) = delays(policy.clone(), None);
        assert_eq!(first, delays(policy.clone(), None).0);
        assert_ne!(first, delays(policy.seed(8), None).0);
        assert!(
            first
                .iter()
                .all(|&delay| delay >= least && delay <= MS * 100)
        );
        let mean = first.iter().sum::<Duration>() / 999;
        let middle = (least + MS * 100) / 2;
        assert!(mean > middle - MS * 5 && mean < middle + MS * 5, "{mean:?}");
    }
    let policy = Retry::fixed(MS * 100).attempts(10).jitter(Jitter::Full);
    assert_ne!(delays(policy.clone(), None).0, delays(policy, None).0);
}

#[test]
fn extremes_saturate() {
    for jitter in [Jitter::None, Jitter::Half, Jitter::Full] {
        let now = Instant::now();
        let policy = Retry::exponential(Duration::MAX).jitter(jitter);
        let mut schedule = Schedule::new(policy.clone(), now);
        for _ in 0..10 {
            assert!(schedule.next(now, None).is_ok());
        }
        let mut schedule = Schedule::new(policy.within(Duration::MAX), now);
        assert!(schedule.next(now, None).is_ok());
    }
    assert_eq!(part(Duration::MAX, 0), Duration::ZERO);
    assert!(part(Duration::MAX, u64::MAX) > Duration::MAX / 2);
}

#[test]
#[should_panic(expected = "the first attempt is always made")]
fn no_attempt_at_all_is_refused() {
    let _ = Retry::fixed(MS).attempts(0);
}
