//! What is asked of a server.

use std::fmt;
use std::str::FromStr;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Cell {
    pub(crate) connections: usize,
    pub(crate) bytes: usize,
    pub(crate) depth: usize,
    pub(crate) unix: bool,
    /// A connection a message.
    pub(crate) churn: bool,
}

const fn tcp(connections: usize, bytes: usize, depth: usize) -> Cell {
    Cell {
        connections,
        bytes,
        depth,
        unix: false,
        churn: false,
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

impl Cell {
    /// Of a server's read buffer: as large as the message, as its users would.
    pub(crate) fn buffer(self) -> usize {
        (self.bytes * self.depth).clamp(16 << 10, 64 << 10)
    }
}

impl FromStr for Cell {
    type Err = String;

    fn from_str(text: &str) -> Result<Cell, String> {
        let (unix, rest) = match text.strip_prefix("unix:") {
            Some(rest) => (true, rest),
            None => (false, text),
        };
        if rest == "churn" {
            return Ok(Cell {
                unix,
                churn: true,
                ..tcp(50, 64, 1)
            });
        }
        let numbers: Vec<usize> = rest
            .split('x')
            .filter_map(|part| part.parse().ok())
            .collect();
        match numbers[..] {
            [connections, bytes, depth]
                if connections * bytes * depth > 0 && rest.matches('x').count() == 2 =>
            {
                Ok(Cell {
                    unix,
                    ..tcp(connections, bytes, depth)
                })
            }
            _ => Err("not CONNECTIONSxBYTESxDEPTH, such as 50x64x1".to_owned()),
        }
    }
}

impl fmt::Display for Cell {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.unix {
            f.write_str("unix:")?;
        }
        if self.churn {
            return f.write_str("churn");
        }
        write!(f, "{}x{}x{}", self.connections, self.bytes, self.depth)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cells_are_printed_as_they_are_written() {
        for text in ["1x64x1", "unix:50x64x16", "churn", "unix:churn"] {
            assert_eq!(text.parse::<Cell>().expect(text).to_string(), text);
        }
        for text in ["", "1x2", "0x1x1", "axbxc", "1x2x3x4", "1xx2x3"] {
            assert!(text.parse::<Cell>().is_err(), "{text}");
        }
    }
}
