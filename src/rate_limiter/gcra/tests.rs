use super::*;
use proptest::prelude::*;

fn gcra(permits: u32, per_ns: u128, burst: u32) -> Gcra {
    Gcra::new(
        NonZeroU32::new(permits).unwrap(),
        per_ns,
        NonZeroU32::new(burst).unwrap(),
    )
}

#[test]
fn a_full_bucket_lets_a_burst_through_and_then_one_a_while() {
    let mut bucket = gcra(10, 1_000, 3);
    // (nanoseconds, goes through)
    for (at, through) in [
        (0, true),
        (0, true),
        (0, true),
        (0, false),
        (99, false),
        (100, true),
        (100, false),
        (299, true),
        (300, true),
        (300, false),
    ] {
        assert_eq!(bucket.take(1, at).is_ok(), through, "at {at}");
    }
}

#[test]
fn what_was_refused_is_let_through_when_it_was_said() {
    let mut bucket = gcra(10, 1_000, 3);
    assert_eq!(bucket.take(3, 0), Ok(()));
    assert_eq!(bucket.take(1, 0), Err(100));
    assert_eq!(bucket.take(1, 99), Err(1));
    assert_eq!(bucket.take(1, 100), Ok(()));
    assert_eq!(bucket.take(2, 100), Err(200));
    assert_eq!(bucket.available(299), 1);
    assert_eq!(bucket.available(300), 2);
    assert_eq!(bucket.available(1_000_000), 3);
}

#[test]
fn a_rate_that_does_not_divide_does_not_drift() {
    // 3 a second: in 1,000 seconds 3,000, and not one more or less.
    let mut bucket = gcra(3, 1_000_000_000, 2);
    let (mut now, mut count) = (0_u64, 0);
    while now <= 1_000 * 1_000_000_000 {
        match bucket.take(1, now) {
            Ok(()) => count += 1,
            Err(wait) => now += u64::try_from(wait).unwrap(),
        }
    }
    // Two at 0. Each wait rounds up to a nanosecond, which is not lost.
    assert_eq!(count, 3_002);
}

#[test]
fn extremes_saturate() {
    let per = std::time::Duration::MAX.as_nanos();
    let mut bucket = gcra(u32::MAX, per, u32::MAX);
    assert_eq!(bucket.take(u32::MAX, u64::MAX), Ok(()));
    assert!(bucket.take(u32::MAX, u64::MAX).is_err());
    let mut free = gcra(1, 0, 1);
    for _ in 0..10 {
        assert_eq!(free.take(1, 0), Ok(()));
        assert_eq!(free.available(0), 1);
    }
}

proptest! {
    #[test]
    fn in_no_window_more_than_the_burst_and_the_rate(
        permits in 1_u32..50,
        per_ns in 1_u128..5_000,
        burst in 1_u32..20,
        takes in prop::collection::vec((0_u64..400, 0_u32..25), 1..60),
    ) {
        let mut bucket = gcra(permits, per_ns, burst);
        let mut now = 0;
        let mut taken: Vec<(u64, u32)> = Vec::new();
        for (later, wanted) in takes {
            now += later;
            let wanted = wanted.min(burst);
            let available = bucket.available(now);
            match bucket.take(wanted, now) {
                Ok(()) => {
                    prop_assert!(wanted <= available);
                    taken.push((now, wanted));
                }
                Err(wait) => {
                    prop_assert!(wanted > available);
                    let wait = u64::try_from(wait).unwrap();
                    // As early as that, and no earlier.
                    prop_assert!(bucket.clone().take(wanted, now + wait).is_ok());
                    prop_assert!(bucket.clone().take(wanted, now + wait - 1).is_err());
                }
            }
        }
        for (first, &(start, _)) in taken.iter().enumerate() {
            let mut sum = 0_u128;
            for &(at, count) in &taken[first..] {
                sum += u128::from(count);
                let window = u128::from(at - start);
                let most = u128::from(burst) * per_ns + u128::from(permits) * window;
                prop_assert!(sum * per_ns <= most);
            }
        }
    }
}
