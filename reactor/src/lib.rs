//! Turns kernel events into wakes.
//!
//! A *source* is a descriptor that futures wait for; an *operation* is a
//! request that completes once. A [`Reactor`] belongs to one thread; each of
//! its *turns* takes what the kernel has, and wakes who has something to do.
//!
//! ```text
//!            this thread                                   other threads
//!  ┌───────────────────────────────────────┐
//!  │ future ──poll──▶ Source ──arm──┐      │   Source dropped ──┐
//!  │   ▲                │ READY?    ▼      │                    ▼
//!  │   │              state.rs   Driver    │◀── mail ──────── inbox.rs
//!  │   │                ▲        │  epoll  │
//!  │   └──wake── turn ──┴─event──┘  uring  │◀── interrupt ─── Remote
//!  │              │                        │                parker.rs
//!  │              └──▶ timers (time/)      │
//!  └───────────────────────────────────────┘
//! ```
//!
//! It knows no task and no executor: a [`Waker`](std::task::Waker) is all that
//! it needs, so twenty lines of `block_on` drive it:
//!
//! ```
//! use std::future::Future;
//! use std::io;
//! use std::os::fd::OwnedFd;
//! use std::os::unix::net::UnixStream;
//! use std::panic::Location;
//! use std::pin::pin;
//! use std::task::{Context, Poll, Waker};
//! use wakeline_context::Kind;
//! use wakeline_reactor::{Config, Direction, Reactor, Source};
//!
//! fn block_on<F: Future>(reactor: &Reactor, future: F) -> io::Result<F::Output> {
//!     let _entered = reactor.enter();
//!     let mut future = pin!(future);
//!     let mut cx = Context::from_waker(Waker::noop());
//!     loop {
//!         if let Poll::Ready(output) = future.as_mut().poll(&mut cx) {
//!             return Ok(output);
//!         }
//!         reactor.turn(None)?;
//!     }
//! }
//!
//! let (here, there) = UnixStream::pair()?;
//! here.set_nonblocking(true)?;
//! let source = Source::new(OwnedFd::from(here));
//! drop(there); // so that there is an end of file to be read
//! let reactor = Reactor::new(&Config::default())?;
//! block_on(&reactor, source.ready(Direction::Read, Kind::Read, Location::caller()))??;
//! # Ok::<(), std::io::Error>(())
//! ```
//!
//! # Read in this order
//!
//! `source.rs` (a future meets `WouldBlock`), `state.rs` (how a wake is not
//! lost), `reactor/turn.rs` (a turn), `driver/epoll.rs`, then `driver/uring.rs`;
//! beside them `op/` for operations and `time/` for timers.
//!
#![deny(unsafe_code)]

// An epoll token is a word, which has to hold a key with its kind and generation; and
// offsets are given to calls whose `off_t` is one.
#[cfg(not(target_pointer_width = "64"))]
compile_error!("wakeline needs a target of 64 bits");

mod accepts;
mod clock;
mod config;
mod current;
mod driver;
mod error;
#[doc(hidden)]
pub mod faults;
mod harvest;
mod inbox;
mod inq;
mod kept;
mod metrics;
mod offload;
pub mod op;
mod parker;
mod peer;
mod reactor;
mod readiness;
mod remote;
mod slots;
mod source;
mod spin;
mod state;
mod steps;
mod sync;
mod sys;
pub mod time;
mod timers;
mod timing;
mod waiters;
mod watched;

pub use accepts::Accepted;
pub use clock::Clock;
pub use config::{Backend, Config, DriverKind, Offload};
pub use current::{Entered, EnteredClock, LazyEntered, enter_lazy};
pub use driver::probe::probe;
pub use error::{ForkedRuntime, NoRuntime, SetupError};
pub use inq::{count_received, is_at_mark, read_owned};
pub use inq::{recv_counted, recv_owned, recv_owned_uncounted};
pub use metrics::{Metrics, current_metrics};
pub use offload::{OffloadFuture, offload, offload_from};
pub use peer::peer_credentials;
pub use reactor::{Drained, Reactor, Turn};
pub use remote::Remote;
pub use source::{Done, Io, Ready, Seen, Source};
pub use state::Direction;
#[doc(hidden)]
pub use sys::generation as process_generation;
pub use wakeline_context::LateWake;
pub use watched::Deputy;
