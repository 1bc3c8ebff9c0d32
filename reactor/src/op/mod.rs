//! One-shot operations: files, connects, closes; what readiness cannot express.
//!
//! ```text
//!   submit ──▶ Held ──1──▶ Done ──3──▶ Taken
//!               │ 2           ▲
//!               └─▶ Running ──┘
//! ```
//! 1 `OpCell::complete`  the driver has the result
//! 2 `OpCell::run`       a pool thread has the operation and blocks for it
//! 3 `InFlight::poll`    the future hands out result and buffer
//!
//! The operation owns its buffer and descriptor, and the driver holds a count
//! of it until the kernel has let go (invariant 1). So a future may be dropped
//! at any time: that asks for a cancel, and when the end comes the buffer is
//! freed and a descriptor that came back is closed.

mod cell;
mod file;
mod in_flight;
mod kinds;
mod socket;

pub(crate) use cell::{AnyOp, Attempt};
pub use file::{Fsync, OpenAt, Read, Write};
pub(crate) use in_flight::Ticket;
pub use in_flight::{Cancel, InFlight, submit};
pub use kinds::Op;
pub use socket::{Close, Connect};
