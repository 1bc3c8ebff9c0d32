//! A `block_on` inside of another is refused with advice, and does no harm.

mod support;

use std::panic::{AssertUnwindSafe, catch_unwind};

use support::for_each_backend;
use wakeline::{Handle, spawn};

/// What the refusal says.
fn refusal(attempt: impl FnOnce()) -> String {
    let panic =
        catch_unwind(AssertUnwindSafe(attempt)).expect_err("a nested block_on has to be refused");
    let text = panic.downcast_ref::<String>().cloned();
    text.or_else(|| panic.downcast_ref::<&str>().map(|&text| text.to_owned()))
        .expect("a message")
}

#[test]
fn it_is_refused_in_the_main_future_and_in_a_task() {
    for_each_backend(|backend| {
        for workers in [1, 2] {
            let runtime = backend.runtime(workers);
            let sum = runtime.block_on(async {
                let message = refusal(|| wakeline::block_on(async {}));
                assert!(message.contains("block_on"), "{message}");
                let handle = Handle::current();
                let message = spawn(async move { refusal(|| handle.block_on(async {})) })
                    .await
                    .unwrap();
                assert!(message.contains("block_on"), "{message}");
                // The runtime works on.
                spawn(async { 1 }).await.unwrap() + 1
            });
            assert_eq!(sum, 2);
        }
    });
}

#[test]
fn on_a_blocking_thread_it_is_fine() {
    for_each_backend(|backend| {
        let runtime = backend.runtime(2);
        let answer = runtime.block_on(async {
            let handle = Handle::current();
            wakeline::spawn_blocking(move || {
                handle.block_on(async { spawn(async { 42 }).await.unwrap() })
            })
            .await
        });
        assert_eq!(answer.unwrap(), 42);
    });
}
