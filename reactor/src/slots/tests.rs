use super::*;
use proptest::prelude::*;
use std::collections::HashMap;

#[test]
fn a_key_survives_the_trip_through_a_number() {
    let mut slots = Slots::new();
    let old = slots.insert('a');
    slots.remove(old);
    let key = slots.insert('b');
    for kind in [
        Kind::Interrupt,
        Kind::Alarm,
        Kind::Cancel,
        Kind::Source,
        Kind::Op,
    ] {
        assert_eq!(Key::unpack(key.pack(kind)), Some((kind, key)));
    }
    assert_eq!(slots.get(key), Some(&'b'));
}

#[test]
fn a_number_that_is_not_ours_is_told_apart() {
    for data in [0, u64::MAX, 0xff << 56, 7] {
        assert_eq!(Key::unpack(data), None, "{data:#x}");
    }
}

#[test]
fn a_stale_or_unknown_key_finds_nothing() {
    let mut slots = Slots::new();
    let stale = slots.insert(1);
    assert_eq!(slots.remove(stale), Some(1));
    let fresh = slots.insert(2);
    assert_eq!(slots.get(stale), None);
    assert_eq!(slots.remove(stale), None);
    assert_eq!(
        slots.get(Key {
            index: 1_000,
            generation: 0
        }),
        None
    );
    assert_eq!(slots.get(fresh), Some(&2));
}

#[test]
fn a_generation_wraps_within_its_24_bits() {
    let mut slots = Slots::new();
    let key = slots.insert(());
    slots.remove(key);
    slots.slots[0].generation = GENERATION_MASK;
    let last = slots.insert(());
    slots.remove(last);
    assert_eq!(slots.slots[0].generation, 0);
}

proptest! {
    #[test]
    fn behaves_like_a_map_of_keys(steps in proptest::collection::vec((any::<bool>(), any::<usize>()), 0..300)) {
        let mut slots = Slots::new();
        let mut map: HashMap<Key, usize> = HashMap::new();
        let mut ever = Vec::new();
        for (insert, n) in steps {
            if insert || ever.is_empty() {
                let key = slots.insert(n);
                prop_assert!(map.insert(key, n).is_none(), "a key is given out once");
                ever.push(key);
            } else {
                let key = ever[n % ever.len()];
                prop_assert_eq!(slots.remove(key), map.remove(&key));
            }
            prop_assert_eq!(slots.len(), map.len());
            for key in &ever {
                prop_assert_eq!(slots.get(*key), map.get(key));
            }
        }
    }
}
