//! Files and the names they have.

mod dir;
mod doing;
mod info;
mod paths;
mod tree;
mod work;

pub use dir::{DirEntry, NextEntry, ReadDir, read_dir};
pub use info::{canonicalize, metadata, read_link, set_permissions, symlink_metadata, try_exists};
pub use paths::{
    create_dir, hard_link, remove_dir, remove_file, rename, rename_exchange, rename_noreplace,
    symlink,
};
pub use std::fs::{FileType, Metadata, Permissions};
pub use tree::{DirBuilder, create_dir_all, remove_dir_all};
pub use work::{NameOp, PoolOp};
