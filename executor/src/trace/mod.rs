//! A record of what tasks did, to look at afterwards: who ran when, who waited
//! for what, who woke whom.
//!
//! ```text
//!   task/         created, polled, woken, ended ─┐                  ┌─▶ text
//!                                                ├▶ Recorder ▶ Timeline ─▶ JSON
//!   block_on.rs   the same of its future ────────┘   (a ring)       └─▶ HTML
//! ```
//!
//! Like debug mode it is on or off for the whole life of an executor. Off it is a
//! `None` beside the queues: a poll takes the one branch that it takes for debug
//! mode anyway, a spawn, a wake and an end take one each, and no clock is read. On, each event takes a lock and reads the
//! executor's clock; if that one stands still, the record repeats itself exactly.
//!
//! `event.rs` has what is written down, `recorder.rs` where, `hook.rs` when.
//! `timeline.rs` makes lives out of events, and `text.rs`, `json.rs`, `html.rs`
//! draw them.
//!
//! # Example
//!
//! ```
//! use wakeline_executor::trace::Recorder;
//! use wakeline_executor::{Executor, task};
//!
//! let recorder = Recorder::new(10_000);
//! let executor = Executor::builder().workers(1).recorder(&recorder).build()?;
//! executor.block_on(async {
//!     let answer = task::Builder::new().name("answer").spawn(async { 42 });
//!     answer.await.unwrap()
//! });
//! let timeline = recorder.timeline();
//! let answer = timeline.task("answer").unwrap();
//! assert_eq!(answer.polls(), 1);
//! assert!(answer.ended.is_some());
//! println!("{}", timeline.to_text(60));
//! # Ok::<(), std::io::Error>(())
//! ```

mod event;
mod hook;
mod html;
mod json;
mod recorder;
#[cfg(all(test, not(loom)))]
mod tests;
mod text;
mod timeline;

pub use event::{End, Event, What, WokenBy};
pub use recorder::Recorder;
pub use timeline::{Span, State, TaskLine, Timeline};

pub(crate) use hook::{ClockFn, RootTrace, RootWoken, Tracer, Watched};
