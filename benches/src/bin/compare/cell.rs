//! What is asked of a server.

use std::fmt;
use std::str::FromStr;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Cell {
    pub(crate) kind: Kind,
    pub(crate) connections: usize,
    pub(crate) bytes: usize,
    pub(crate) depth: usize,
    pub(crate) unix: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    /// Messages, one after the other.
    Stream,
    /// A connection a message.
    Churn,
    /// Connections that say nothing.
    Idle,
    /// All connect in one moment, with a message each.
    Storm,
    /// Light connections, and [`HEAVY`] others whose messages are computed on.
    Imbalance,
}

/// Heavy connections in an imbalance.
pub(crate) const HEAVY: usize = 4;

const fn tcp(connections: usize, bytes: usize, depth: usize) -> Cell {
    Cell {
        kind: Kind::Stream,
        connections,
        bytes,
        depth,
        unix: false,
    }
}

/// One connection, the usual, many; pipelined; large.
pub(crate) const MATRIX: [Cell; 7] = [
    tcp(1, 64, 1),
    tcp(50, 64, 1),
    tcp(1000, 64, 1),
    tcp(50, 64, 16),
    tcp(50, 4096, 1),
    tcp(1000, 4096, 1),
    tcp(16, 65536, 1),
];

impl Kind {
    /// Those with a name, and their connections if nobody says otherwise.
    const NAMED: [(Kind, &'static str, usize); 4] = [
        (Kind::Churn, "churn", 50),
        (Kind::Idle, "idle", 10_000),
        (Kind::Storm, "storm", 5_000),
        (Kind::Imbalance, "imbalance", 100),
    ];

    /// Measured by ratios to the base.
    pub(crate) fn has_ratios(self) -> bool {
        matches!(self, Kind::Stream | Kind::Churn)
    }
}

impl Cell {
    /// Of a server's read buffer: as large as the message, as its users would.
    pub(crate) fn buffer(self) -> usize {
        (self.bytes * self.depth).clamp(16 << 10, 64 << 10)
    }

    /// Whether a server of this name is measured here.
    pub(crate) fn takes(self, name: &str) -> bool {
        // Those with a listener a thread are there for what that does to an imbalance.
        let listeners = ["monoio-2", "glommio-2", "compio-2"].contains(&name);
        match self.kind {
            Kind::Imbalance => name.ends_with("-2"),
            _ => !listeners,
        }
    }

    /// Whether each round has servers of its own: those that have met such
    /// connections once keep the memory for them.
    pub(crate) fn is_fresh(self) -> bool {
        matches!(self.kind, Kind::Idle | Kind::Storm)
    }
}

impl FromStr for Cell {
    type Err = String;

    fn from_str(text: &str) -> Result<Cell, String> {
        let (unix, rest) = match text.strip_prefix("unix:") {
            Some(rest) => (true, rest),
            None => (false, text),
        };
        let (name, number) = match rest.split_once(':') {
            Some((name, number)) => (name, Some(number)),
            None => (rest, None),
        };
        for (kind, named, usual) in Kind::NAMED {
            let connections = number.map_or(Ok(usual), str::parse);
            match connections {
                _ if name != named => {}
                Ok(connections @ 1..) if !unix || matches!(kind, Kind::Churn | Kind::Idle) => {
                    return Ok(Cell {
                        kind,
                        unix,
                        ..tcp(connections, 64, 1)
                    });
                }
                Ok(1..) => return Err(format!("{named} is over TCP only")),
                _ => return Err(format!("not a number of connections, such as {named}:50")),
            }
        }
        let numbers: Vec<usize> = rest
            .split('x')
            .filter_map(|part| part.parse().ok())
            .collect();
        match numbers[..] {
            [connections, bytes, depth]
                if is_some(connections, bytes, depth) && rest.matches('x').count() == 2 =>
            {
                Ok(Cell {
                    unix,
                    ..tcp(connections, bytes, depth)
                })
            }
            _ => Err("neither CONNECTIONSxBYTESxDEPTH, such as 50x64x1, nor churn, idle, storm or imbalance".to_owned()),
        }
    }
}

/// Neither nothing, nor more than can be held.
fn is_some(connections: usize, bytes: usize, depth: usize) -> bool {
    let under_way = bytes
        .checked_mul(depth)
        .and_then(|each| each.checked_mul(connections));
    under_way.is_some_and(|bytes| bytes > 0)
}

impl fmt::Display for Cell {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.unix {
            f.write_str("unix:")?;
        }
        let named = Kind::NAMED.iter().find(|(kind, ..)| *kind == self.kind);
        match named {
            None => write!(f, "{}x{}x{}", self.connections, self.bytes, self.depth),
            Some((_, name, usual)) if *usual == self.connections => f.write_str(name),
            Some((_, name, _)) => write!(f, "{name}:{}", self.connections),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cells_are_printed_as_they_are_written() {
        for text in [
            "1x64x1",
            "unix:50x64x16",
            "churn",
            "unix:churn",
            "idle",
            "unix:idle:200",
            "storm:9",
            "imbalance",
        ] {
            assert_eq!(text.parse::<Cell>().expect(text).to_string(), text);
        }
        for text in [
            "",
            "1x2",
            "0x1x1",
            "4294967296x4294967296x1",
            "axbxc",
            "1x2x3x4",
            "1xx2x3",
            "idle:",
            "storm:0",
            "unix:storm",
            "unix:imbalance",
            "calm:1",
        ] {
            assert!(text.parse::<Cell>().is_err(), "{text}");
        }
    }
}
