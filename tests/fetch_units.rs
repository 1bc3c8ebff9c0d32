//! The unit tests of `examples/fetch`, which cargo would not run where they stand.
//!
//! With `test = true` on the example cargo would run them, but then build no program for the
//! other `fetch_*` tests to start. So the example's files are compiled here once more.

#[path = "../examples/fetch/main.rs"]
#[allow(dead_code, reason = "only the tests inside are used")]
mod fetch;
