//! The command line: what may be asked for.

use std::fmt;
use std::num::{NonZeroU16, NonZeroUsize};
use std::path::PathBuf;
use std::str::FromStr;
use std::time::Duration;

use clap::Parser;
use wakeline::Driver;

use crate::seconds::{seconds, seconds_from};

/// Echoes what it is sent, until Ctrl-C.
#[derive(Clone, Debug, Parser)]
#[command(
    name = "echo_server",
    version,
    after_help = "Examples:\n  \
        echo_server                                          # then: nc 127.0.0.1 7777\n  \
        echo_server --listen 0.0.0.0:7777 --listen unix:/tmp/echo.sock --stats 1\n  \
        echo_server --driver epoll --workers 1 --max-connections 1000 --json\n\n\
        Exit code: 0 stopped by a signal, 1 failure, 2 wrong usage, 130 stopped by a second signal."
)]
pub(crate) struct Options {
    /// Where to listen: HOST:PORT or unix:PATH; may be given several times.
    #[arg(long, value_name = "ADDRESS", default_value = "127.0.0.1:7777")]
    pub(crate) listen: Vec<Address>,

    /// Threads that serve [default: the CPUs this process may use].
    #[arg(long, value_name = "N", env = "WAKELINE_WORKERS", value_parser = threads)]
    pub(crate) workers: Option<NonZeroU16>,

    /// How to wait for the kernel: auto, uring or epoll.
    #[arg(long, value_name = "DRIVER", default_value = "auto")]
    pub(crate) driver: Driver,

    /// Connections served at once; more wait until one ends [default: what the descriptor limit allows].
    #[arg(long, value_name = "N", value_parser = count)]
    pub(crate) max_connections: Option<NonZeroUsize>,

    /// Close a connection that sends or takes nothing for so many seconds; 0: never.
    #[arg(long, value_name = "SECONDS", default_value = "300", value_parser = seconds)]
    pub(crate) idle_timeout: Duration,

    /// After Ctrl-C, how many seconds open connections may take to finish.
    #[arg(long, value_name = "SECONDS", default_value = "5", value_parser = seconds)]
    pub(crate) grace: Duration,

    /// Print the figures every so many seconds.
    #[arg(long, value_name = "SECONDS", value_parser = period)]
    pub(crate) stats: Option<Duration>,

    /// Print events as JSON, one object a line.
    #[arg(long)]
    pub(crate) json: bool,
}

impl Options {
    pub(crate) fn workers(&self) -> usize {
        let available = || std::thread::available_parallelism().map_or(1, NonZeroUsize::get);
        self.workers
            .map_or_else(available, |workers| workers.get().into())
    }
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

/// A number of seconds, long enough to print something in.
fn period(text: &str) -> Result<Duration, String> {
    seconds_from(text, Duration::from_millis(10), "at least 0.01 seconds")
}

/// Where to listen.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Address {
    /// `HOST:PORT`; the host is looked up when the server binds.
    Tcp(String),
    /// `unix:PATH`.
    Unix(PathBuf),
}

impl FromStr for Address {
    type Err = String;

    fn from_str(text: &str) -> Result<Address, String> {
        if let Some(path) = text.strip_prefix("unix:") {
            return if path.is_empty() {
                Err("unix: needs a path".to_owned())
            } else {
                Ok(Address::Unix(path.into()))
            };
        }
        let Some((host, port)) = text.rsplit_once(':') else {
            return Err("neither HOST:PORT nor unix:PATH; try 127.0.0.1:7777".to_owned());
        };
        if port.parse::<u16>().is_err() {
            return Err(format!("{port:?} is not a port; try {host}:7777"));
        }
        let bracketed = host.starts_with('[') && host.ends_with(']');
        if host.is_empty() || (host.contains(':') && !bracketed) {
            return Err(
                "write an IPv6 address in brackets, any address as 0.0.0.0 or [::]".to_owned(),
            );
        }
        // Digits and dots are meant as an address: no name looks like that, and
        // asking a name server for 300.0.0.1 would only be slow.
        let numeric = host.chars().all(|c| c.is_ascii_digit() || c == '.');
        if (numeric || bracketed) && text.parse::<std::net::SocketAddr>().is_err() {
            return Err(format!("{host} is not an address; try 127.0.0.1:{port}"));
        }
        Ok(Address::Tcp(text.to_owned()))
    }
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Address::Tcp(address) => f.write_str(address),
            Address::Unix(path) => write!(f, "unix:{}", path.display()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_host_and_port_or_a_path() {
        for text in [
            "127.0.0.1:7777",
            "localhost:0",
            "[::1]:80",
            "[::]:7",
            "unix:/tmp/a:b",
            "unix:@name",
        ] {
            let address: Address = text
                .parse()
                .unwrap_or_else(|error| panic!("{text}: {error}"));
            assert_eq!(address.to_string(), text);
        }
        for text in [
            "",
            "7777",
            ":7777",
            "::1:80",
            "host:",
            "host:70000",
            "300.0.0.1:80",
            "[x]:80",
            "unix:",
        ] {
            assert!(text.parse::<Address>().is_err(), "{text:?}");
        }
    }

    #[test]
    fn the_defaults_are_those_of_the_readme() {
        let options = Options::parse_from(["echo_server"]);
        assert_eq!(options.listen, [Address::Tcp("127.0.0.1:7777".to_owned())]);
        assert!(options.workers() >= 1);
    }

    #[test]
    fn listen_may_be_repeated_and_wrong_values_are_usage_errors() {
        let options =
            Options::parse_from(["echo_server", "--listen", "[::1]:1", "--listen", "unix:/a"]);
        assert_eq!(options.listen.len(), 2);
        for wrong in [
            ["--workers", "0"],
            ["--grace", "-1"],
            ["--stats", "0"],
            ["--driver", "kqueue"],
        ] {
            let error = Options::try_parse_from(["echo_server", wrong[0], wrong[1]]).unwrap_err();
            assert_eq!(error.exit_code(), 2, "{wrong:?}");
        }
    }
}
