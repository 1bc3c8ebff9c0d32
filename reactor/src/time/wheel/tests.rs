use super::super::entries::PAGE;
use super::*;
use proptest::prelude::*;
use std::collections::BTreeMap;

fn advanced(wheel: &mut Wheel<u64>, now: u64) -> Vec<u64> {
    let mut fired = Vec::new();
    wheel.advance(now, &mut fired);
    fired
}

#[test]
fn fires_at_the_deadline_and_not_a_tick_before() {
    let far = 1 << COVERED_BITS;
    // (time of insertion, deadline): one pair for each level and beyond, and
    // pairs on both sides of a block's edge.
    for (start, deadline) in [
        (0, 1),
        (0, 63),
        (0, 64),
        (63, 64),
        (5, 4_095),
        (4_095, 4_096),
        (7, 262_144),
        (100, 16_777_216),
        (0, 1_073_741_824 + 17),
        (0, far - 1),
        (0, far),
        (far - 1, far),
        (12_345, 3 * far + 678_901),
    ] {
        let mut wheel = Wheel::new();
        advanced(&mut wheel, start);
        wheel.insert(deadline, deadline);
        assert_eq!(
            wheel.next_tick(1),
            Some(deadline),
            "from {start} to {deadline}"
        );
        assert!(
            advanced(&mut wheel, deadline - 1).is_empty(),
            "from {start} to {deadline}"
        );
        assert_eq!(
            wheel.next_tick(1),
            Some(deadline),
            "from {start} to {deadline}"
        );
        assert_eq!(advanced(&mut wheel, deadline), [deadline]);
        assert!(wheel.is_empty());
        assert_eq!(wheel.next_tick(1), None);
    }
}

#[test]
fn a_deadline_in_the_past_fires_at_the_next_advance_of_the_same_tick() {
    let mut wheel = Wheel::new();
    advanced(&mut wheel, 1_000);
    wheel.insert(3, 3);
    assert_eq!(wheel.next_tick(1), Some(1_000));
    assert_eq!(advanced(&mut wheel, 1_000), [3]);
}

#[test]
fn never_is_never_and_can_be_removed() {
    let mut wheel = Wheel::new();
    let key = wheel.insert(u64::MAX, 1);
    assert_eq!(wheel.next_tick(1), None);
    assert!(advanced(&mut wheel, u64::MAX >> 1).is_empty());
    assert_eq!(wheel.remove(key), Some(1));
    assert_eq!(wheel.remove(key), None);
}

#[test]
fn equal_deadlines_fire_in_the_order_of_insertion_through_every_cascade() {
    let deadline = 1 << 36 | 3 << 24 | 5 << 12 | 7;
    let mut wheel = Wheel::new();
    // Each insertion sees the deadline from nearer by, so at a lower level.
    for (number, before) in [deadline, 1 << 25, 1 << 20, 1 << 14, 100, 3, 1]
        .into_iter()
        .enumerate()
    {
        assert!(advanced(&mut wheel, deadline - before).is_empty());
        wheel.insert(deadline, number as u64);
    }
    assert_eq!(advanced(&mut wheel, LAST), [0, 1, 2, 3, 4, 5, 6]);
}

#[test]
fn one_far_sleeper_does_not_wake_the_loop_before_its_time() {
    let mut wheel = Wheel::new();
    wheel.insert(152_587, 1); // 10 s
    let mut looks = 0;
    while let Some(next) = wheel.next_tick(1) {
        advanced(&mut wheel, next);
        looks += 1;
    }
    assert_eq!(looks, 1);
}

#[test]
fn who_is_alone_is_woken_at_his_tick_and_several_at_the_last_of_theirs() {
    // (where time stands, deadlines, when to wake with 16 gathered)
    for (now, deadlines, next) in [
        (0, &[37][..], 37),
        (0, &[37, 37, 37], 37), // of the same tick: nobody waits for another
        (0, &[37, 48], 37),     // another sixteen
        (0, &[37, 40], 47),
        (0, &[32, 47], 47),
        (47, &[47, 48], 47),
        (40, &[41, 1 << 20], 41),
        // At a level above, few and many.
        (0, &[1_003, 9_000], 1_003),
        (0, &[1_003, 1_005], 1_007),
        (
            0,
            &[
                1_000, 1_001, 1_002, 1_003, 1_004, 1_005, 1_006, 1_007, 1_008,
            ],
            960 | 15,
        ),
        (0, &[(1 << 36) + 5, (1 << 36) + 6], (1 << 36) + 5),
    ] {
        let mut wheel = Wheel::new();
        advanced(&mut wheel, now);
        for deadline in deadlines {
            wheel.insert(*deadline, *deadline);
        }
        assert_eq!(wheel.next_tick(16), Some(next), "{deadlines:?} at {now}");
    }
}

/// As many wakes as there are sixteens with a timer in them, and not one for each.
#[test]
fn a_crowd_wakes_the_thread_once_in_so_many_ticks() {
    let mut wheel = Wheel::new();
    for deadline in 1..=6_400 {
        wheel.insert(deadline, deadline);
    }
    let (mut wakes, mut fired) = (0, 0);
    while let Some(next) = wheel.next_tick(16) {
        fired += advanced(&mut wheel, next).len();
        wakes += 1;
    }
    assert_eq!((wakes, fired), (401, 6_400));
}

#[test]
fn a_stale_key_finds_nothing_also_after_its_page_was_given_back() {
    let mut wheel = Wheel::new();
    let keys: Vec<Key> = (0..3 * PAGE as u64)
        .map(|n| wheel.insert(n + 1, n))
        .collect();
    advanced(&mut wheel, u64::MAX >> 1);
    assert_eq!(wheel.entries.pages(), 1);
    let new: Vec<Key> = (0..3 * PAGE as u64)
        .map(|n| wheel.insert(u64::MAX, n))
        .collect();
    for key in keys {
        assert_eq!(wheel.remove(key), None);
        assert_eq!(wheel.get_mut(key), None);
    }
    assert_eq!(wheel.len(), new.len());
}

#[test]
fn memory_returns_though_a_few_timers_stay() {
    let mut wheel = Wheel::new();
    let keys: Vec<Key> = (0..100_000).map(|n| wheel.insert(n * 1_000, n)).collect();
    assert_eq!(wheel.entries.pages(), 100_000_usize.div_ceil(PAGE));
    let (stay, go) = keys.split_at(10);
    for (number, key) in go.iter().enumerate() {
        assert_eq!(wheel.remove(*key), Some(number as u64 + 10));
    }
    assert_eq!(wheel.entries.pages(), 2, "the page in use and a spare one");
    assert_eq!(wheel.len(), stay.len());
}

/// Lists that run through several pages, out of which some go altogether while others
/// lose entries here and there, and new ones come into the cells that are free.
#[test]
fn what_is_left_of_a_long_list_fires_in_the_order_of_insertion() {
    const FAR: u64 = 1 << 40;
    for at in [40, 5_000, FAR] {
        let mut wheel = Wheel::new();
        let count = 4 * PAGE as u64;
        let mut keys: Vec<_> = (0..count).map(|n| (n, wheel.insert(at, n))).collect();
        // All of the second page, and one in three of the others.
        let goes = |n: u64| n / PAGE as u64 == 1 || n.is_multiple_of(3);
        let (gone, mut left): (Vec<_>, Vec<_>) = keys.drain(..).partition(|(n, _)| goes(*n));
        for (n, key) in gone.iter().rev() {
            assert_eq!(wheel.remove(*key), Some(*n));
        }
        assert!(gone.iter().all(|(_, key)| wheel.remove(*key).is_none()));
        left.extend((count..2 * count).map(|n| (n, wheel.insert(at, n))));
        assert_eq!(wheel.len(), left.len());
        let fired = advanced(&mut wheel, at);
        assert!(fired.iter().eq(left.iter().map(|(n, _)| n)), "due at {at}");
        assert_eq!((wheel.len(), wheel.next_tick(1)), (0, None));
    }
}

#[test]
fn draining_hands_out_everything() {
    let mut wheel = Wheel::new();
    for deadline in [1, 100, 10_000, 1 << 30, 1 << 40, u64::MAX] {
        wheel.insert(deadline, deadline);
    }
    let mut out = Vec::new();
    wheel.drain(&mut out);
    assert_eq!(out.len(), 6);
    assert!(wheel.is_empty());
    assert_eq!(wheel.next_tick(1), None);
    wheel.insert(5, 5);
    assert_eq!(advanced(&mut wheel, 5), [5]);
}

#[test]
fn the_first_deadline_is_found_exactly_among_many_of_one_slot_and_never_is_none() {
    let mut wheel = Wheel::new();
    wheel.insert(u64::MAX, 0);
    assert_eq!(wheel.first_deadline(), None);
    for (base, deadlines) in [(1_000_000, 1..=40), (1 << 40, 1..=40)] {
        for far in deadlines.clone().rev() {
            wheel.insert(base + far, far);
        }
        for far in deadlines {
            assert_eq!(wheel.first_deadline(), Some(base + far));
            assert_eq!(advanced(&mut wheel, base + far), [far]);
        }
    }
    assert_eq!(wheel.first_deadline(), None);
}

#[test]
fn never_stays_where_it_is_at_the_end_of_time() {
    let mut wheel = Wheel::new();
    let key = wheel.insert(u64::MAX, 1);
    assert!(advanced(&mut wheel, LAST).is_empty());
    let late = wheel.insert(LAST + 1, 2);
    assert_eq!(wheel.first_deadline(), None, "beyond the last tick");
    assert_eq!(wheel.remove(late), Some(2));
    assert_eq!(wheel.remove(key), Some(1));
    assert!(wheel.is_empty());
}

/// Whether the first slot has few enough entries to say which of them is the first.
fn is_looked_at(wheel: &Wheel<u64>) -> bool {
    match wheel.first() {
        Some((_, Place::Slot { level: 0, .. } | Place::Beyond)) | None => true,
        Some((_, Place::Slot { level, slot })) => {
            let list = wheel.slots[level][slot];
            wheel.entries.two_earliest(list, LOOK).is_some()
        }
    }
}

#[test]
fn one_at_the_beginning_of_a_crowd_passes_for_several() {
    let mut wheel = Wheel::new();
    let begin = 1 << 24;
    advanced(&mut wheel, begin - 1);
    wheel.insert(begin, 0);
    for more in 1..LOOK as u64 {
        wheel.insert(begin + 16 * more, more);
    }
    assert_eq!(wheel.next_tick(16), Some(begin), "it is alone");
    wheel.insert(begin + 1_000, 8);
    assert_eq!(wheel.next_tick(16), Some(begin + 15), "nobody looks");
    assert_eq!(advanced(&mut wheel, begin + 15), [0]);
}

/// Ticks near each level's edges as well as anywhere.
fn distances() -> impl Strategy<Value = u64> {
    prop_oneof![
        4 => 0_u64..200,
        2 => (0_u32..7, 0_u64..3, 0_u64..3).prop_map(|(level, times, more)| {
            ((times << (level * SLOT_BITS)) + more).saturating_sub(1)
        }),
        1 => 0_u64..1 << 38,
        1 => Just(u64::MAX),
    ]
}

#[derive(Clone, Debug)]
enum Step {
    Insert(u64),
    Remove(usize),
    Advance(u64),
    /// To the tick that `next_tick` names, with so many gathered, as a power of two.
    Sleep(u32),
    /// To the first deadline.
    Jump,
    /// From this tick on, all is new.
    Restart(u64),
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let step = prop_oneof![
        5 => distances().prop_map(Step::Insert),
        2 => any::<usize>().prop_map(Step::Remove),
        2 => distances().prop_map(|by| Step::Advance(by % (1 << 40))),
        3 => (0_u32..=6).prop_map(Step::Sleep),
        2 => Just(Step::Jump),
        1 => distances().prop_map(|to| Step::Restart(to % (1 << 40))),
    ];
    proptest::collection::vec(step, 1..120)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(if cfg!(miri) { 4 } else { 1_000 }))]

    #[test]
    fn does_what_a_sorted_map_does(start in distances(), steps in steps()) {
        let mut now = start % (1 << 40);
        let mut wheel = Wheel::new();
        advanced(&mut wheel, now);
        let mut map = BTreeMap::new();
        let mut keys = Vec::new();
        for (number, step) in (0_u64..).zip(steps) {
            match step {
                Step::Insert(by) => {
                    let deadline = now.saturating_add(by);
                    map.insert((deadline, number), number);
                    keys.push((wheel.insert(deadline, number), (deadline, number)));
                }
                Step::Remove(which) if !keys.is_empty() => {
                    let (key, dull) = keys[which % keys.len()];
                    prop_assert_eq!(wheel.get_mut(key).copied(), map.get(&dull).copied());
                    prop_assert_eq!(wheel.remove(key), map.remove(&dull));
                }
                Step::Remove(_) => {}
                Step::Restart(to) => {
                    let mut out = Vec::new();
                    wheel.restart(to, &mut out);
                    let all: Vec<u64> = std::mem::take(&mut map).into_values().collect();
                    prop_assert_eq!(out, all);
                    prop_assert!(keys.iter().all(|(key, _)| wheel.is_stale(*key)));
                    now = to;
                }
                Step::Advance(_) | Step::Sleep(_) | Step::Jump => {
                    let to = match step {
                        Step::Advance(by) => now + by,
                        Step::Sleep(bits) => wheel.next_tick(1 << bits).unwrap_or(now),
                        _ => wheel.first_deadline().unwrap_or(now),
                    };
                    now = now.max(to);
                    let later = map.split_off(&(now + 1, 0));
                    let due: Vec<u64> = std::mem::replace(&mut map, later).into_values().collect();
                    prop_assert_eq!(advanced(&mut wheel, now), due);
                }
            }
            prop_assert_eq!(wheel.len(), map.len());
            let first = map.keys().next().map(|(deadline, _)| *deadline);
            prop_assert_eq!(wheel.first_deadline(), first.filter(|first| *first < u64::MAX));
            match (wheel.next_tick(1), first) {
                (Some(next), Some(first)) => prop_assert!(next <= first),
                (None, first) => prop_assert!(first.is_none() || first == Some(u64::MAX)),
                (Some(next), None) => prop_assert!(false, "{} though empty", next),
            }
            if let Some(first) = first.filter(|first| *first < u64::MAX) {
                let last = first | 15;
                let alone = map.range((first, u64::MAX)..=(last, u64::MAX)).next().is_none()
                    && is_looked_at(&wheel);
                let next = wheel.next_tick(16).expect("not never");
                prop_assert!(next <= if alone { first } else { last }, "{} for {}", next, first);
            }
        }
    }
}
