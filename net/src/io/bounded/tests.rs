use super::*;

fn claim(pool: &BufferPool) -> Claim {
    Claim {
        pool: Arc::clone(&pool.0),
        id: None,
    }
}

fn poll(claim: &mut Claim) -> Option<PoolBuf> {
    match claim.poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(bytes) => Some(PoolBuf {
            bytes,
            len: 0,
            pool: Arc::clone(&claim.pool),
        }),
        Poll::Pending => None,
    }
}

#[test]
fn a_buffer_goes_to_the_front_of_the_line_and_past_it_to_nobody() {
    let pool = BufferPool::new(1, 16);
    let held = poll(&mut claim(&pool)).expect("one is free");
    let (mut first, mut second) = (claim(&pool), claim(&pool));
    assert!(poll(&mut first).is_none());
    assert!(poll(&mut second).is_none());
    assert_eq!((pool.available(), pool.waiting()), (0, 2));
    drop(held);
    assert!(poll(&mut second).is_none(), "it belongs to the first");
    assert!(
        poll(&mut claim(&pool)).is_none(),
        "and not to one who comes now"
    );
    let held = poll(&mut first).expect("its turn");
    drop(held);
    assert!(poll(&mut second).is_some());
    assert_eq!((pool.available(), pool.waiting()), (1, 0));
}

#[test]
fn who_leaves_with_a_buffer_hands_it_on() {
    let pool = BufferPool::new(1, 16);
    let held = poll(&mut claim(&pool)).expect("one is free");
    let (mut first, mut second) = (claim(&pool), claim(&pool));
    assert!(poll(&mut first).is_none() && poll(&mut second).is_none());
    drop(held);
    drop(first); // it has it, and never looked
    assert!(poll(&mut second).is_some());
}

#[test]
fn who_leaves_while_waiting_is_passed_over() {
    let pool = BufferPool::new(1, 16);
    let held = poll(&mut claim(&pool)).expect("one is free");
    let (mut first, mut second) = (claim(&pool), claim(&pool));
    assert!(poll(&mut first).is_none() && poll(&mut second).is_none());
    drop(first);
    drop(held);
    assert!(poll(&mut second).is_some());
    drop(second);
    assert_eq!((pool.available(), pool.limit()), (1, 1));
}
