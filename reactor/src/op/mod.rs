//! One-shot operations: files, connects, closes; what readiness cannot express.
//!
//! ```text
//!   submit ──────▶ Held ──1──▶ Done ──3──▶ Taken
//!     │           ▲ │ │ 2         ▲ ▲
//!     │         4 │ │ └─▶ Running ┘ │
//!     │           │ ▼ 5             │
//!     └────────▶ Polled ──────6─────┘
//! ```
//! 1 `OpCell::complete`  the driver has the result
//! 2 `OpCell::run`       a pool thread has the operation and blocks for it; a panic
//!   there is one of the future's poll
//! 3 `InFlight::poll`    the future hands out result and buffer
//! 4 `OpCell::try_here`  a try found nothing: the driver waits for readiness
//! 5 `OpCell::hand_back` the wait is over, or a signal came before anything had
//!   happened: the future tries again; or what was tried without waiting has to
//!   wait after all, and a pool thread is to have it
//! 6 `OpCell::try_here`  a try by the future itself was the end
//!
//! What can be had at once, without blocking (an open of a path that the kernel
//! has in its cache), is `Done` before a driver hears of it: `Steps::at_once`.
//!
//! Which of the two ways is the operation's choice. What can be had again goes
//! to the driver: a dropped future costs nothing but the work. A read of a pipe
//! or socket takes its bytes for good, so only the poll that hands them out may
//! take them; the driver's part is to wait.
//!
//! The operation owns its buffer and descriptor, and the driver holds a count
//! of it until the kernel has let go (invariant 1). So a future may be dropped
//! at any time: that asks for a cancel, and when the end comes the buffer is
//! freed and a descriptor that came back is closed.

mod buf;
mod cached;
mod cell;
mod close_file;
mod descriptor;
mod file;
mod in_flight;
pub(crate) mod kinds;
mod lease;
mod local;
mod open;
mod path;
mod ready;
mod socket;
mod stat;
mod vectored;
mod zero_copy;

pub use crate::offload::was_stopped;
pub use buf::{IoBuf, IoBufMut, Slice};
pub(crate) use cell::{AnyOp, Attempt};
pub use close_file::CloseFile;
pub use descriptor::Descriptor;
pub use file::{Read, Write};
pub(crate) use in_flight::Ticket;
pub use in_flight::{Cancel, InFlight, submit, submit_from};
pub use kinds::Op;
pub use lease::past_lease;
pub use open::{Fallocate, Fsync, Ftruncate, OpenAt};
pub use path::{LinkAt, MkdirAt, RenameAt, SymlinkAt, UnlinkAt, c_path};
pub use ready::Readable;
pub use socket::{Close, Connect};
pub use stat::{FileStat, Statx, Timestamp};
pub(crate) use vectored::{Parts, share_out};
pub use vectored::{ReadV, WriteV};
pub use zero_copy::ZeroCopy;
