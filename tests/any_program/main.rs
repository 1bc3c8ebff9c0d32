//! Programs made at random of everything there is: they end, nothing that is held or sent
//! is lost, and nothing is left behind.

#[path = "../support/mod.rs"]
mod support;

mod leaves;
mod shapes;
mod world;

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use shapes::program;
use support::{
    Backend, Chance, descriptors_come_down_to, for_each_backend, open_descriptors, setting,
};
use wakeline::io::AsyncWriteExt;
use wakeline::net::{TcpListener, TcpStream, serve};
use wakeline::sync::oneshot;
use wakeline::{FutureExt, Handle, spawn};
use world::World;

/// Programs that run beside each other.
const BESIDE: u64 = 24;
/// How deep they are.
const DEPTH: u32 = 4;
/// What does not end in this time never will.
const LIMIT: Duration = Duration::from_secs(120);

/// Something has panicked.
static UNPLANNED: AtomicBool = AtomicBool::new(false);

#[test]
fn a_program_leaves_nothing_behind() {
    std::panic::set_hook(Box::new(|panic| {
        if panic.payload_as_str() != Some("planned") {
            // Perhaps in a task that nobody joins.
            UNPLANNED.store(true, Ordering::Relaxed);
            eprintln!("{panic}\n{}", std::backtrace::Backtrace::force_capture());
        }
    }));
    let chance = Chance::new();
    let rounds = setting("WAKELINE_TEST_PROGRAMS", 3);
    for_each_backend(|backend| {
        // The process has a pipe for good once one was shut down.
        run(backend, 1, &chance);
        let before = open_descriptors();
        for round in 0..rounds {
            for workers in [1, 2, 4] {
                run(backend, workers, &chance.fork(round));
                descriptors_come_down_to(before);
            }
        }
    });
}

async fn echo(mut stream: TcpStream) -> io::Result<()> {
    let mut buf = [0; 4096];
    loop {
        let n = match stream.read(&mut buf).await {
            Ok(0) => return Ok(()),
            Ok(n) => n,
            // Who gives up in the midst of an echo leaves bytes unread.
            Err(error) if error.kind() == io::ErrorKind::ConnectionReset => return Ok(()),
            Err(error) => return Err(error),
        };
        match stream.write_all(&buf[..n]).await {
            Ok(()) => {}
            Err(error)
                if matches!(
                    error.kind(),
                    io::ErrorKind::ConnectionReset | io::ErrorKind::BrokenPipe
                ) =>
            {
                return Ok(());
            }
            Err(error) => return Err(error),
        }
    }
}

fn run(backend: Backend, workers: usize, chance: &Chance) {
    eprintln!("-- {workers} workers, {chance:?}");
    let runtime = backend.runtime(workers);
    let world = runtime.block_on(all(chance));
    let report = runtime.shutdown(Duration::from_secs(10));
    assert!(report.is_clean(), "{report:?}");
    let counts = &world.counts;
    assert!(counts.steps.load(Ordering::Relaxed) > 0);
    world.check();
    assert!(!UNPLANNED.load(Ordering::Relaxed), "a panic is told above");
    assert_eq!(Arc::strong_count(&world), 1);
}

/// Serves the programs, runs them, and gives what they leave of their world.
async fn all(chance: &Chance) -> Arc<World> {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let world = World::new(listener.local_addr().expect("its address"));
    let (stop, stopped) = oneshot::channel::<()>();
    let server = spawn(async move {
        serve(listener, |stream, _peer| echo(stream))
            .with_shutdown(async move {
                let _ = stopped.await;
            })
            .await
    });
    let programs: Vec<_> = (0..BESIDE)
        .map(|n| spawn(program(chance.fork(n), DEPTH, Arc::clone(&world))))
        .collect();
    let ends = wakeline::future::join_all(programs).timeout(LIMIT).await;
    let Ok(ends) = ends else {
        panic!("not ended after {LIMIT:?}:\n{}", Handle::current().dump());
    };
    for end in ends {
        end.expect("a program");
    }
    // What was shielded goes on, and may want an echo.
    if world.nobody().timeout(LIMIT).await.is_err() {
        panic!("still there after {LIMIT:?}:\n{}", Handle::current().dump());
    }
    drop(stop);
    let report = server.await.expect("the server");
    assert!(report.errors.is_empty(), "{report:?}");
    world
}
