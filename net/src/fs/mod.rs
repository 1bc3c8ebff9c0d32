//! Files, and the names they have.
//!
//! A file is never "not ready", so it is no source that the reactor watches.
//! What the kernel has in memory is read by a plain call that must not wait;
//! only what it has not goes the long way, as an operation:
//!
//! ```text
//!   read_at ─▶ preadv2(RWF_NOWAIT) into the caller's slice ──▶ n bytes
//!                 │ not in memory
//!                 ▼
//!              op::Read, which owns a buffer ─▶ ring, or a thread of the pool
//!                                                 │ completion
//!              copied to the caller's slice ◀─────┘
//! ```
//!
//! So a cached file costs neither a turn of the ring nor a thread, on io_uring
//! and on epoll alike; and the kernel never has the address of memory that a
//! dropped future could give back. An open takes the same two ways
//! (`reactor/src/op/open.rs`).
//!
//! # What is promised
//!
//! - **A dropped future loses nothing.** The position of a [`File`] moves only
//!   by what the caller was given. A descriptor that arrives after its open was
//!   dropped is closed.
//! - **A write that was dropped** has happened, or a part from its beginning
//!   has, or it has not; the next write of the same file waits for its end.
//! - **What runs at once**: any number of reads and writes at offsets, which the
//!   kernel orders as it likes. The position has one user, who has the file as
//!   `&mut`; its reads see every write that was awaited before.
//! - **`Ok` of a write means written**, to the page cache: there is no buffer in
//!   between that could lose an error. What the disk says later is told by
//!   [`File::sync_all`].
//!
//! # Read in this order
//!
//! `file.rs` (what a file is), `now.rs` (what needs no waiting), `positional.rs`
//! (reads and writes at an offset), `cursor.rs` (the position), then
//! `open_options.rs`, `close.rs` and `metadata.rs`. Of names: `work.rs` (the two kinds of
//! futures), `paths.rs`, `info.rs`, `tree.rs`, `dir.rs`; and what is built on
//! both: `contents.rs`, `copy.rs`, `atomic.rs`, `lock.rs`.

mod atomic;
mod chunk;
mod close;
mod contents;
mod copy;
mod cursor;
mod dir;
mod doing;
mod file;
mod info;
mod lock;
mod metadata;
mod now;
mod open_options;
mod paths;
mod positional;
mod several;
mod started;
mod tree;
mod whole;
mod work;

pub use atomic::{AtomicFile, write_atomic};
pub use close::CloseFile;
pub use contents::{read, read_to_string, write};
pub use copy::copy;
pub use dir::{DirEntry, NextEntry, ReadDir, read_dir};
pub use file::File;
pub use info::{
    GetPathMetadata, TryExists, canonicalize, metadata, read_link, set_permissions,
    symlink_metadata, try_exists,
};
pub use lock::LockFile;
pub use metadata::{FileType, Metadata};
pub use open_options::{Open, OpenOptions};
pub use paths::{
    create_dir, hard_link, remove_dir, remove_file, rename, rename_exchange, rename_noreplace,
    symlink,
};
pub use positional::{ReadAt, ReadAtOwned, WriteAt, WriteAtOwned};
pub use several::Several;
pub use std::fs::{Permissions, TryLockError};
pub use tree::{DirBuilder, create_dir_all, remove_dir_all};
pub use whole::{Allocate, GetMetadata, SetLen, SetPermissions, Sync};
pub use work::{NameOp, PoolOp};
