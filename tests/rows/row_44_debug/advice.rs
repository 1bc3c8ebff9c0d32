//! Calls from the wrong place, and the variable of the environment.

use std::process::Command;
use std::time::Duration;
use wakeline::{Runtime, spawn, task, yield_now};

use super::{on_each, patient, watched};

#[test]
fn calls_from_the_wrong_place_are_refused_with_advice() {
    #[track_caller]
    fn refuses(call: impl FnOnce(), words: &str) {
        let panic = std::panic::catch_unwind(std::panic::AssertUnwindSafe(call));
        let payload = panic.expect_err("it is refused");
        let text = payload
            .downcast_ref::<String>()
            .map(String::as_str)
            .or_else(|| payload.downcast_ref::<&str>().copied())
            .expect("a text");
        assert!(text.contains(words), "{text:?} has no {words:?}");
    }
    refuses(|| drop(spawn(async {})), "no runtime on this thread");
    refuses(
        || drop(wakeline::spawn_local(async {})),
        "call it inside `block_on` or a task",
    );
    refuses(|| drop(task::current()), "no task runs on this thread");
    on_each(|backend, workers| {
        let (runtime, _told) = watched(backend, workers, patient());
        let handle = runtime.handle();
        runtime.block_on(async {
            refuses(|| handle.block_on(async {}), "await the future");
            refuses(
                || drop(spawn(async {}).blocking_join(None)),
                "await the handle instead",
            );
            // A thread of the blocking pool is in the runtime but runs no tasks.
            let job = wakeline::spawn_blocking(|| {
                refuses(
                    || drop(wakeline::spawn_local(async {})),
                    "call it inside `block_on` or a task",
                );
            });
            job.await.unwrap();
        });
        if workers == 1 {
            std::thread::scope(|threads| {
                let other = threads.spawn(|| runtime.poll_once(Duration::ZERO).unwrap_err());
                let error = other.join().unwrap().to_string();
                assert!(error.contains("bound to"), "{error}");
            });
        }
    });
}

/// Does something wrong on a runtime whose builder says nothing of debug mode.
#[test]
#[ignore = "run by the test below, as a process with an environment of its own"]
fn a_program_with_a_slow_start() {
    match Runtime::builder().workers(1).build() {
        Ok(runtime) => runtime.block_on(async {
            drop(spawn(async { Err::<(), _>("nobody saw this") }));
            yield_now().await;
        }),
        Err(error) => eprintln!("refused ({:?}): {error}", error.kind()),
    }
}

#[test]
fn the_environment_turns_it_on_where_the_builder_says_nothing() {
    let stderr = |value: Option<&str>| {
        let program = std::env::current_exe().expect("the test knows its own path");
        let mut command = Command::new(program);
        command.args([
            "--exact",
            "row_44_debug::advice::a_program_with_a_slow_start",
            "--ignored",
            "--nocapture",
        ]);
        match value {
            Some(value) => command.env("WAKELINE_DEBUG", value),
            None => command.env_remove("WAKELINE_DEBUG"),
        };
        let output = command.output().expect("it starts");
        assert!(output.status.success());
        String::from_utf8(output.stderr).expect("text")
    };
    let on = stderr(Some("1"));
    // On a busy machine polls are reported, too, which have become slow.
    let failure = "nobody has looked at a failure: task ";
    let line = on.lines().find(|line| line.contains(failure));
    let line = line.unwrap_or_else(|| panic!("nothing reported: {on}"));
    assert!(line.starts_with("wakeline: "), "{line}");
    assert!(line.ends_with(": nobody saw this"), "{line}");
    for off in [None, Some("0"), Some("")] {
        assert!(!stderr(off).contains("wakeline: "), "{off:?}");
    }
    let wrong = stderr(Some("true"));
    assert!(
        wrong.contains("refused (InvalidInput): WAKELINE_DEBUG=true: use 1 "),
        "{wrong}"
    );
}
