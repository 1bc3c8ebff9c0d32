//! HTTP/1.1 answers: well-formed ones, whose meaning is known, and what is none.

use arbitrary::Arbitrary;

/// Where a body ends.
#[derive(Arbitrary, Clone, Copy, Debug, PartialEq, Eq)]
pub enum Framing {
    Length,
    Chunked,
    UntilEnd,
}

/// An answer that is as it should be.
#[derive(Arbitrary, Clone, Debug)]
pub struct Answer {
    interim: u8,
    code: u8,
    pub framing: Framing,
    /// Of the body; each a chunk.
    parts: Vec<Vec<u8>>,
    close: bool,
    extension: bool,
    trailers: u8,
}

impl Answer {
    pub fn code(&self) -> u16 {
        [200, 203, 206, 200, 204, 304][usize::from(self.code % 6)]
    }

    /// Whether there is a body, be it an empty one.
    pub fn has_body(&self) -> bool {
        !matches!(self.code(), 204 | 304)
    }

    /// Whether the connection has no use after it.
    pub fn closes(&self) -> bool {
        self.close || self.has_body() && self.framing == Framing::UntilEnd
    }

    pub fn body(&self) -> Vec<u8> {
        if self.has_body() {
            self.parts.concat()
        } else {
            Vec::new()
        }
    }

    /// The same with a second word about where its body ends; nothing if it has no first one.
    pub fn twice_framed(&self) -> Option<Vec<u8>> {
        let second = match self.framing {
            _ if !self.has_body() => return None,
            Framing::UntilEnd => return None,
            Framing::Length => "Transfer-Encoding: chunked\r\n",
            Framing::Chunked => "Content-Length: 5\r\n",
        };
        let mut text = Vec::new();
        self.write(&mut text);
        let head = format!("HTTP/1.1 {} As It Is\r\n", self.code());
        let mut places = text.windows(head.len());
        let at = places.position(|place| place == head.as_bytes())? + head.len();
        // Before the first or behind it, which is the last one of the head.
        let ends = text[at..].windows(4).position(|four| four == b"\r\n\r\n")? + at + 2;
        let at = if self.extension { at } else { ends };
        text.splice(at..at, second.bytes());
        Some(text)
    }

    /// Appends it, and tells where the line ends after its chunks are.
    pub fn write(&self, out: &mut Vec<u8>) -> Vec<usize> {
        for _ in 0..self.interim % 3 {
            out.extend_from_slice(b"HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n");
        }
        out.extend_from_slice(format!("HTTP/1.1 {} As It Is\r\n", self.code()).as_bytes());
        if self.close {
            out.extend_from_slice(b"connection: close\r\n");
        }
        if self.has_body() {
            match self.framing {
                Framing::Length => {
                    let length = self.body().len();
                    out.extend_from_slice(format!("Content-Length: {length}\r\n").as_bytes());
                }
                Framing::Chunked => out.extend_from_slice(b"Transfer-Encoding: chunked\r\n"),
                Framing::UntilEnd => {}
            }
        }
        out.extend_from_slice(b"\r\n");
        if self.has_body() && self.framing == Framing::Chunked {
            return self.write_chunks(out);
        }
        out.extend_from_slice(&self.body());
        Vec::new()
    }

    /// How many bytes at the end a reader may do without: those after the line that says that
    /// there is no further chunk, or a body that only the end of the stream ends.
    pub fn spare(&self) -> usize {
        match self.framing {
            _ if !self.has_body() => 0,
            Framing::Length => 0,
            Framing::Chunked => usize::from(self.trailers % 3) * "trailer-0: yes\r\n".len() + 2,
            Framing::UntilEnd => self.body().len(),
        }
    }

    fn write_chunks(&self, out: &mut Vec<u8>) -> Vec<usize> {
        let extension = if self.extension { ";a=b" } else { "" };
        let mut ends = Vec::new();
        for part in self.parts.iter().filter(|part| !part.is_empty()) {
            out.extend_from_slice(format!("{:x}{extension}\r\n", part.len()).as_bytes());
            out.extend_from_slice(part);
            ends.extend([out.len(), out.len() + 1]);
            out.extend_from_slice(b"\r\n");
        }
        out.extend_from_slice(format!("0{extension}\r\n").as_bytes());
        for nth in 0..self.trailers % 3 {
            out.extend_from_slice(format!("trailer-{nth}: yes\r\n").as_bytes());
        }
        out.extend_from_slice(b"\r\n");
        ends
    }
}

/// A piece of what a server sends that does not care.
#[derive(Arbitrary, Clone, Debug)]
pub enum Piece {
    Answer(Answer),
    Word(u8),
    Bytes(Vec<u8>),
}

const WORDS: [&str; 24] = [
    "HTTP/1.1 200 OK\r\n",
    "HTTP/1.0 200 OK\r\n",
    "HTTP/1.1 100 Continue\r\n\r\n",
    "HTTP/1.1 304\r\n",
    "HTTP/1.1 302 Found\nLocation: /\n",
    "Content-Length: ",
    "Transfer-Encoding: chunked\r\n",
    "Transfer-Encoding:gzip, chunked\r\n",
    "Connection: keep-alive\r\n",
    "Connection: close, x\r\n",
    "\r\n",
    "\n",
    "\r",
    "\r\n\r\n",
    "0\r\n",
    "0\r\n\r\n",
    "3\r\nabc\r\n",
    "1;a=\"\r\n\"\r\nx\r\n",
    "ffffffffffffffff\r\n",
    "18446744073709551615\r\n",
    "00000000000000000001\r\n",
    "X: y\r\n",
    ": \r\n",
    " \t\r\n",
];

impl Piece {
    pub fn write(&self, out: &mut Vec<u8>) {
        match self {
            Piece::Answer(answer) => drop(answer.write(out)),
            Piece::Word(which) => {
                let word = WORDS[usize::from(*which) % WORDS.len()];
                out.extend_from_slice(word.as_bytes());
            }
            Piece::Bytes(bytes) => out.extend_from_slice(bytes),
        }
    }
}
