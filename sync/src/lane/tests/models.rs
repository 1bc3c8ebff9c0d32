//! A dying scope hands its work to one that closes at the same time.

use super::super::*;
use loom::thread;

/// What becomes of the item: run by the lane's owner, or handed to the one above.
fn runs(root: &Lane<u8>, by_owner: usize) -> usize {
    by_owner + root.close().len()
}

/// An owner that leaves when it has nothing to do leaves nothing behind.
#[test]
fn loom_work_that_meets_a_leaving_owner_is_run_once() {
    loom::model(|| {
        let root = Arc::new(Lane::new(None));
        let lane = Arc::new(Lane::new(None));
        lane.set_above(&root);
        let dying = thread::spawn({
            let lane = Arc::clone(&lane);
            move || lane.adopt(7).expect("the root is open")
        });
        let mut run = 0;
        while lane.close_if_empty().is_err() {
            run += usize::from(lane.take().is_some());
        }
        dying.join().unwrap();
        assert_eq!(runs(&root, run), 1);
        assert_eq!(lane.close().len(), 0, "nothing is left in a closed lane");
    });
}

/// An owner that is dropped hands up what it had, and what comes goes past it.
#[test]
fn loom_work_that_meets_a_dropped_owner_is_run_once() {
    loom::model(|| {
        let root = Arc::new(Lane::new(None));
        let lane = Arc::new(Lane::new(None));
        lane.set_above(&root);
        let dying = thread::spawn({
            let lane = Arc::clone(&lane);
            move || lane.adopt(7).expect("the root is open")
        });
        for item in lane.close() {
            root.adopt(item).expect("the root is open");
        }
        dying.join().unwrap();
        assert_eq!(runs(&root, 0), 1);
        assert_eq!(lane.close().len(), 0, "nothing is left in a closed lane");
    });
}
