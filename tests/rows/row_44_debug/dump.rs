//! The list of tasks, and what each waits for.

use wakeline::sync::Mutex;
use wakeline::{spawn, task, yield_now};

use super::{on_each, patient, watched};

#[test]
fn the_dump_shows_who_waits_where_and_for_whom() {
    on_each(|backend, workers| {
        let (runtime, _told) = watched(backend, workers, patient());
        runtime.block_on(async {
            let lock = std::sync::Arc::new(Mutex::new(()));
            let theirs = lock.clone();
            let holder = task::Builder::new().name("holder").spawn(async move {
                let _held = theirs.lock().await;
                std::future::pending::<()>().await;
            });
            let holder_id = holder.id();
            while lock.owner() != Some(holder_id.get()) {
                yield_now().await;
            }
            let waits = line!() + 1;
            let waiter = spawn(async move { drop(lock.lock().await) });
            let joins = line!() + 1;
            let joiner = spawn(async { holder.await.unwrap_err() });
            // On two workers each may be in its poll still.
            let lines = [
                format!("#{holder_id} \"holder\" Idle, spawned at {}:", file!()),
                format!(
                    "waits for a mutex held by #{holder_id} at {}:{waits}:",
                    file!()
                ),
                format!("#{} Idle, spawned at {}:{waits}:", waiter.id(), file!()),
                format!("waits for the end of #{holder_id} at {}:", file!()),
                format!("#{} Idle, spawned at {}:{joins}:", joiner.id(), file!()),
            ];
            let dump = loop {
                let dump = wakeline::Handle::current().dump();
                let text = dump.to_string();
                if lines.iter().all(|line| text.contains(line)) {
                    break dump;
                }
                yield_now().await;
            };
            let text = dump.to_string();
            assert!(text.starts_with("tasks: 3\n"), "{text}");
            assert!(
                text.contains("\nblock_on: 1\n"),
                "the root, in debug mode: {text}"
            );
            assert!(dump.cycles().is_empty());
            drop((waiter, joiner));
        });
    });
}

#[test]
fn the_dump_shows_tasks_that_wait_for_each_other_or_for_themselves() {
    on_each(|backend, workers| {
        let runtime = backend.runtime(workers); // no debug mode needed
        runtime.block_on(async {
            // One that awaits its own handle.
            let (give, given) = wakeline::sync::oneshot::channel();
            let own = spawn(async move {
                let handle: wakeline::JoinHandle<()> = given.await.unwrap();
                handle.await.unwrap();
            });
            let narcissus = own.id().get();
            assert!(give.send(own).is_ok());
            // Two that hold a mutex each and want the other's.
            let [a, b] = [(); 2].map(|()| std::sync::Arc::new(Mutex::new(())));
            let both = std::sync::Arc::new(wakeline::sync::Barrier::new(2));
            let embrace = |first: &std::sync::Arc<Mutex<()>>,
                           second: &std::sync::Arc<Mutex<()>>| {
                let (first, second, both) = (first.clone(), second.clone(), both.clone());
                spawn(async move {
                    let _first = first.lock().await;
                    both.wait().await.expect("nobody leaves");
                    drop(second.lock().await);
                })
            };
            let (left, right) = (embrace(&a, &b), embrace(&b, &a));
            let dump = loop {
                let dump = wakeline::Handle::current().dump();
                if dump.cycles().len() == 2 {
                    break dump;
                }
                yield_now().await;
            };
            let mut pair = vec![left.id().get(), right.id().get()];
            pair.sort_unstable();
            let mut cycles: Vec<Vec<u64>> =
                dump.cycles().into_iter().map(|cycle| cycle.tasks).collect();
            cycles.sort_by_key(Vec::len);
            cycles[1].sort_unstable();
            assert_eq!(cycles, [vec![narcissus], pair]);
            let text = dump.to_string();
            let itself = format!("in a circle: #{narcissus} waits for itself\n");
            assert!(text.contains(&itself), "{text}");
        });
    });
}
