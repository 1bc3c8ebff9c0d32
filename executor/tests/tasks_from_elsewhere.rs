//! A thread that looks at another one's local tasks, while these come and go.

use std::sync::atomic::AtomicBool;
use std::sync::atomic::Ordering::Relaxed;

use wakeline_executor::{Executor, spawn_local, yield_now};

const ALIVE: usize = if cfg!(miri) { 8 } else { 64 };
const ROUNDS: usize = if cfg!(miri) { 5 } else { 500 };

#[test]
fn a_list_of_tasks_that_come_and_go_is_one_of_tasks_that_were_there() {
    let executor = Executor::builder().workers(1).build().expect("an executor");
    let (looker, over) = (executor.handle(), AtomicBool::new(false));
    std::thread::scope(|scope| {
        let looks = scope.spawn(|| {
            let (mut looks, mut seen) = (0, 0);
            while !over.load(Relaxed) || looks == 0 {
                let tasks = looker.tasks();
                assert!(tasks.len() <= ALIVE + 1, "{} tasks", tasks.len());
                assert!(tasks.iter().all(|task| task.spawned_at.file() == file!()));
                looks += 1;
                seen += tasks.len();
            }
            (looks, seen)
        });
        let ended = executor.block_on(async {
            let mut ended = 0;
            for _ in 0..ROUNDS {
                let tasks: Vec<_> = (0..ALIVE).map(|_| spawn_local(yield_now())).collect();
                for task in tasks {
                    task.await.expect("no panic");
                    ended += 1;
                }
            }
            ended
        });
        over.store(true, Relaxed);
        assert_eq!(ended, ROUNDS * ALIVE);
        let (looks, _seen) = looks.join().expect("no panic");
        assert!(looks > 0);
    });
    assert!(executor.handle().tasks().is_empty());
}
