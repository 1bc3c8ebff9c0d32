use super::*;

#[cfg(loom)]
mod models;

#[cfg(not(loom))]
#[test]
fn items_go_to_the_nearest_lane_that_is_open() {
    let (root, middle) = (Arc::new(Lane::new(None)), Arc::new(Lane::new(None)));
    let inner = Lane::new(None);
    middle.set_above(&root);
    inner.set_above(&middle);
    assert_eq!(inner.adopt(1), Ok(()));
    assert_eq!(inner.close(), [1]);
    assert_eq!(inner.adopt(2), Ok(()));
    assert_eq!(middle.take(), Some(2));
    assert_eq!(middle.close_if_empty(), Ok(()));
    assert_eq!(inner.adopt(3), Ok(()));
    assert_eq!(root.take(), Some(3));
    assert!(root.close().is_empty());
    assert_eq!(inner.adopt(4), Err(4));
}

#[cfg(not(loom))]
#[test]
fn many_lanes_are_dropped_without_a_deep_stack() {
    let mut lane = Arc::new(Lane::<u8>::new(None));
    for _ in 0..200_000 {
        let below = Arc::new(Lane::new(None));
        below.set_above(&lane);
        lane = below;
    }
    drop(lane);
}
