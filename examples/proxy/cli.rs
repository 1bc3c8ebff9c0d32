//! The command line: what may be asked for.

use std::num::{NonZeroU16, NonZeroUsize};
use std::time::Duration;

use clap::Parser;
use wakeline::Driver;

use crate::address::Address;
use crate::seconds::{seconds, seconds_from};

/// Hands connections on to another address, both ways, until Ctrl-C.
#[derive(Clone, Debug, Parser)]
#[command(
    name = "proxy",
    version,
    after_help = "Examples:\n  \
        proxy --upstream 127.0.0.1:80                       # http://127.0.0.1:8080\n  \
        proxy --listen unix:/tmp/db.sock --upstream db.example:5432\n  \
        proxy --listen 0.0.0.0:2222 --upstream unix:/run/app.sock --idle-timeout 60\n\n\
        Exit code: 0 stopped by a signal, 1 failure, 2 wrong usage, 130 stopped by a second Ctrl-C."
)]
pub(crate) struct Options {
    /// Where to listen: HOST:PORT, unix:PATH or unix:@NAME.
    #[arg(long, value_name = "ADDRESS", default_value = "127.0.0.1:8080")]
    pub(crate) listen: Address,

    /// Where connections go: HOST:PORT, unix:PATH or unix:@NAME.
    #[arg(long, value_name = "ADDRESS")]
    pub(crate) upstream: Address,

    /// How many seconds the upstream may take to accept a connection.
    #[arg(long, value_name = "SECONDS", default_value = "10", value_parser = limit)]
    pub(crate) connect_timeout: Duration,

    /// Close a connection on which nothing has moved for so many seconds (at
    /// most twice as many pass); 0: never.
    #[arg(long, value_name = "SECONDS", default_value = "300", value_parser = seconds)]
    pub(crate) idle_timeout: Duration,

    /// After Ctrl-C, how many seconds open connections may take to finish.
    #[arg(long, value_name = "SECONDS", default_value = "5", value_parser = seconds)]
    pub(crate) grace: Duration,

    /// Connections at once; more wait until one ends [default: what the descriptor limit allows].
    #[arg(long, value_name = "N", value_parser = count)]
    pub(crate) max_connections: Option<NonZeroUsize>,

    /// Threads [default: the CPUs this process may use].
    #[arg(long, value_name = "N", value_parser = threads)]
    pub(crate) workers: Option<NonZeroU16>,

    /// How to wait for the kernel: auto, uring or epoll.
    #[arg(long, value_name = "DRIVER", default_value = "auto")]
    pub(crate) driver: Driver,
}

/// A number of threads, as a runtime can have.
fn threads(text: &str) -> Result<NonZeroU16, String> {
    text.parse()
        .map_err(|_| "a whole number from 1 to 65535".to_owned())
}

/// A number of connections.
fn count(text: &str) -> Result<NonZeroUsize, String> {
    text.parse().map_err(|_| "a whole number from 1".to_owned())
}

/// A number of seconds, and some time at all.
fn limit(text: &str) -> Result<Duration, String> {
    seconds_from(text, Duration::from_nanos(1), "more than 0 seconds")
}
