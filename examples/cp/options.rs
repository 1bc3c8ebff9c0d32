//! The command line: what may be asked for.

use std::path::PathBuf;

use clap::Parser;
use wakeline::Driver;

/// Copies a file, as a whole or not at all.
#[derive(Debug, Parser)]
#[command(
    name = "cp",
    version,
    after_help = "On a terminal it tells how far it is, and how fast.\n\n\
        Exit code: 0 copied, 1 failure, 2 wrong usage, 130 interrupted; but for 0, what was at TO \
        is as it was."
)]
pub(crate) struct Options {
    /// What to copy: a regular file.
    #[arg(value_name = "FROM")]
    pub(crate) from: PathBuf,

    /// The name of the copy, or a directory for it.
    #[arg(value_name = "TO")]
    pub(crate) to: PathBuf,

    /// Replace what has that name.
    #[arg(long, short)]
    pub(crate) force: bool,

    /// End only when the copy is on the disk.
    #[arg(long)]
    pub(crate) sync: bool,

    /// How to wait for the kernel: auto, uring or epoll.
    #[arg(long, value_name = "DRIVER", default_value = "auto")]
    pub(crate) driver: Driver,
}
