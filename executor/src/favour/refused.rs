//! Where the barrier that was promised is refused later.

use std::future::pending;
use std::sync::Arc;
use std::time::Duration;

use crate::sync::barrier;
use crate::{Executor, spawn_local};

#[test]
fn a_worker_ends_its_tasks_itself_and_others_do_not_see_them() {
    let executor = Executor::builder().workers(2).build().unwrap();
    let kept = Arc::new(());
    let theirs = Arc::clone(&kept);
    let spawned = executor.spawn(async move {
        drop(spawn_local(async move {
            let _theirs = theirs;
            pending::<()>().await;
        }));
    });
    spawned.blocking_join(None).unwrap().unwrap();
    assert_eq!(executor.handle().tasks().len(), 1);
    barrier::refuse(true);
    let seen = executor.handle().tasks().len();
    let report = executor.shutdown(Duration::ZERO);
    barrier::refuse(false);
    assert_eq!((seen, report.stuck_workers), (0, 0));
    assert_eq!(Arc::strong_count(&kept), 1, "it was dropped");
}
