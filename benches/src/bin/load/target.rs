//! Whom to load: an address, and what is spoken there.

use std::fmt;
use std::io;
use std::net::{SocketAddr, ToSocketAddrs};
use std::str::FromStr;

/// A server as the command line names it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Target {
    pub(crate) place: Place,
    pub(crate) speaks: Speaks,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Place {
    /// `HOST:PORT`
    Tcp(String),
    /// A path, or `@name`.
    Unix(String),
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Speaks {
    Echo,
    /// The authority and the path of the URL.
    Http {
        host: String,
        path: String,
    },
}

/// An address that was looked up.
#[derive(Clone, Debug)]
pub(crate) enum Address {
    Tcp(SocketAddr),
    Unix(std::os::unix::net::SocketAddr),
}

impl FromStr for Target {
    type Err = String;

    fn from_str(text: &str) -> Result<Target, String> {
        if let Some(rest) = text.strip_prefix("http://") {
            return http(rest);
        }
        if text.starts_with("https://") {
            return Err("TLS is not loaded; put the server's plain port here".to_owned());
        }
        if let Some(path) = text.strip_prefix("unix:") {
            return match path {
                "" | "@" => Err("unix: needs a path, or @ and a name".to_owned()),
                _ => Ok(Target {
                    place: Place::Unix(path.to_owned()),
                    speaks: Speaks::Echo,
                }),
            };
        }
        let address = text.strip_prefix("tcp:").unwrap_or(text);
        Ok(Target {
            place: Place::Tcp(authority(address, None)?),
            speaks: Speaks::Echo,
        })
    }
}

fn http(rest: &str) -> Result<Target, String> {
    let end = rest.find(['/', '?', '#']).unwrap_or(rest.len());
    let (host, path) = rest.split_at(end);
    let unfit = |c: char| c.is_ascii_control() || c == ' ' || !c.is_ascii();
    if path.contains(unfit) || host.contains(unfit) || host.contains('@') {
        return Err(
            "write the URL with % for what is not plain ASCII, and without a user".to_owned(),
        );
    }
    let path = path.split('#').next().unwrap_or("");
    let slash = if path.starts_with('/') { "" } else { "/" };
    Ok(Target {
        place: Place::Tcp(authority(host, Some(80))?),
        speaks: Speaks::Http {
            host: host.to_owned(),
            path: format!("{slash}{path}"),
        },
    })
}

/// `HOST:PORT`, with the port that is meant if none is there.
fn authority(text: &str, port: Option<u16>) -> Result<String, String> {
    let bare = text.rfind(']').map_or(text, |end| &text[end..]);
    let (host, text) = match (bare.rsplit_once(':'), port) {
        (Some((_, number)), _) if number.parse::<u16>().is_ok() => {
            (&text[..text.len() - number.len() - 1], text.to_owned())
        }
        (None, Some(port)) => (text, format!("{text}:{port}")),
        (Some((_, number)), _) if number.bytes().all(|b| b.is_ascii_digit()) => {
            return Err(format!("{number:?} is not a port; the last is 65535"));
        }
        _ => {
            return Err(
                "neither HOST:PORT, unix:PATH nor http://HOST/; try 127.0.0.1:7777".to_owned(),
            );
        }
    };
    if host.is_empty() {
        return Err("there is no host in it; try 127.0.0.1:7777".to_owned());
    }
    if host.contains(':') && !host.starts_with('[') {
        return Err("write an IPv6 address in brackets: [::1]:7777".to_owned());
    }
    Ok(text)
}

impl Target {
    /// The address to connect to.
    ///
    /// # Errors
    ///
    /// One line for the user.
    pub(crate) fn look_up(&self) -> Result<Address, String> {
        match &self.place {
            Place::Unix(path) => unix(path)
                .map(Address::Unix)
                .map_err(|error| format!("{self} is no address of a Unix socket: {error}")),
            Place::Tcp(name) => {
                let found = name.to_socket_addrs().and_then(|mut all| {
                    all.next()
                        .ok_or_else(|| io::Error::other("the name has no address"))
                });
                found
                    .map(Address::Tcp)
                    .map_err(|error| format!("cannot look up {name}: {error}"))
            }
        }
    }
}

fn unix(path: &str) -> io::Result<std::os::unix::net::SocketAddr> {
    use std::os::linux::net::SocketAddrExt;
    match path.strip_prefix('@') {
        Some(name) => std::os::unix::net::SocketAddr::from_abstract_name(name),
        None => std::os::unix::net::SocketAddr::from_pathname(path),
    }
}

impl fmt::Display for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (&self.place, &self.speaks) {
            (_, Speaks::Http { host, path }) => write!(f, "http://{host}{path}"),
            (Place::Tcp(name), Speaks::Echo) => f.write_str(name),
            (Place::Unix(path), Speaks::Echo) => write!(f, "unix:{path}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn targets_are_printed_as_they_are_written() {
        for text in [
            "127.0.0.1:7777",
            "[::1]:7777",
            "localhost:1",
            "unix:/tmp/x.sock",
            "unix:@name",
            "http://localhost:8080/a?b=c",
            "http://localhost/",
        ] {
            assert_eq!(text.parse::<Target>().expect(text).to_string(), text);
        }
    }

    #[test]
    fn what_is_no_target_is_refused() {
        for text in [
            "",
            "7777",
            "::1:7777",
            ":7777",
            "host:99999",
            "unix:",
            "https://x/",
            "http://a b/",
            "http://u@h/",
        ] {
            assert!(text.parse::<Target>().is_err(), "{text}");
        }
    }

    #[test]
    fn what_is_wrong_is_what_is_told() {
        for (text, told) in [
            (":80", "no host"),
            ("http://", "no host"),
            ("http://:80/", "no host"),
            ("host:99999", "\"99999\" is not a port"),
            ("host:", "\"\" is not a port"),
            ("::1:7777", "brackets"),
            ("host", "HOST:PORT"),
        ] {
            let error = text.parse::<Target>().expect_err(text);
            assert!(error.contains(told), "{text}: {error}");
        }
    }

    #[test]
    fn a_host_ends_where_a_path_a_query_or_a_fragment_begins() {
        for (text, host, path) in [
            ("http://a:81/b?c=d", "a:81", "/b?c=d"),
            ("http://a:81?c=d", "a:81", "/?c=d"),
            ("http://a:81?c=/d:82", "a:81", "/?c=/d:82"),
            ("http://a:81#c", "a:81", "/"),
            ("http://a:81#c/d", "a:81", "/"),
            ("http://[::1]:81?c", "[::1]:81", "/?c"),
        ] {
            let target: Target = text.parse().expect(text);
            assert_eq!(target.place, Place::Tcp(host.to_owned()), "{text}");
            assert_eq!(target.to_string(), format!("http://{host}{path}"));
        }
    }

    #[test]
    fn a_url_without_a_port_means_80() {
        let target: Target = "http://localhost".parse().expect("a target");
        assert_eq!(target.place, Place::Tcp("localhost:80".to_owned()));
    }
}
