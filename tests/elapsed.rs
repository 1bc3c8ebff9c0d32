//! A limit that passed says which one it was: by the line that set it, whichever way.

mod support;

use std::future::pending;
use std::io;
use std::pin::pin;
use std::time::{Duration, Instant};

use support::{Backend, for_each_backend};
use wakeline::stream::{self, FlowExt, StreamExt};
use wakeline::time::{Elapsed, timeout, timeout_at};
use wakeline::{FutureExt, ScopeError, scope};

const MS: Duration = Duration::from_millis(1);

fn expect(elapsed: Elapsed, line: u32) {
    let location = elapsed.location();
    assert_eq!((location.file(), location.line()), (file!(), line));
    let says = format!("the time limit set at {location} passed");
    assert_eq!(io::Error::from(elapsed).to_string(), says);
}

#[test]
fn a_limit_that_passed_names_the_line_that_set_it() {
    for_each_backend(|backend: Backend| {
        backend.runtime(1).block_on(async {
            let (limited, line) = (timeout(MS, pending::<()>()), line!());
            expect(limited.await.unwrap_err(), line);
            let (limited, line) = (timeout_at(Instant::now(), pending::<()>()), line!());
            expect(limited.await.unwrap_err(), line);
            let (limited, line) = (pending::<()>().timeout(MS), line!());
            expect(limited.await.unwrap_err(), line);
            let (limited, line) = (pending::<()>().timeout_at(Instant::now()), line!());
            expect(limited.await.unwrap_err(), line);
            let (items, line) = (stream::pending::<()>().item_timeout(MS), line!());
            let report = pin!(items).next().await.expect("a report");
            expect(report.unwrap_err(), line);
            // Of two it is the one that passed.
            let (inner, line) = (timeout(MS, pending::<()>()), line!());
            expect(
                inner.timeout(100_000 * MS).await.unwrap().unwrap_err(),
                line,
            );
        });
    });
}

#[test]
fn a_scope_that_was_cut_off_names_the_line_that_set_its_limit() {
    fn expect_in<T: std::fmt::Debug>(result: Result<T, ScopeError<io::Error>>, line: u32) {
        let error = result.expect_err("cut off");
        assert!(error.to_string().contains(&format!("{}:{line}:", file!())));
        let ScopeError::Elapsed(elapsed) = error else {
            panic!("{error:?}");
        };
        expect(elapsed, line);
    }
    for_each_backend(|backend: Backend| {
        backend.runtime(1).block_on(async {
            let never = || scope(|_| pending::<io::Result<()>>());
            let (limited, line) = (never().timeout(MS), line!());
            expect_in(limited.await, line);
            let (limited, line) = (never().deadline(Instant::now()), line!());
            expect_in(limited.await, line);
            let moved = line!() + 2;
            let scope = scope(|s| {
                s.set_deadline(Some(Instant::now()));
                pending::<io::Result<()>>()
            });
            expect_in(scope.timeout(100_000 * MS).await, moved);
        });
    });
}
