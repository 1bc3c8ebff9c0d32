//! HTTP/1.1 answers in a stream of bytes (RFC 9112, section 6).
//!
//! ```text
//!   Head ──1──▶ Body(left) ─────────────────────────▶ Head
//!    │ ──1──▶ ChunkSize ──▶ Chunk(left) ──▶ ChunkEnd ──▶ ChunkSize │ ──▶ Trailer ──▶ Head
//!    └────1──▶ UntilEnd ──the server closes──▶ Over
//! ```
//! 1 by its header: `Content-Length`, `Transfer-Encoding: chunked`, or neither
//!
//! Its framing is checked strictly, its status must be of the 200s or 300s. What
//! the body says is the server's matter.

use crate::speak::Heard;

/// The most that a header, a chunk's size line or a trailer may have.
const LINES_MAX: usize = 64 << 10;

#[derive(Debug)]
pub(crate) struct Answer {
    state: State,
    /// Of a head, size line or trailer that is not whole yet.
    kept: Vec<u8>,
    /// The server said that it closes after this one.
    closes: bool,
}

#[derive(Debug, PartialEq, Eq)]
enum State {
    Head,
    Body(u64),
    ChunkSize,
    Chunk(u64),
    /// The line end after it.
    ChunkEnd,
    Trailer,
    UntilEnd,
    Over,
}

impl Answer {
    pub(crate) fn new() -> Answer {
        Answer {
            state: State::Head,
            kept: Vec::new(),
            closes: false,
        }
    }

    /// Takes in what was received; an error says what is wrong with it.
    pub(crate) fn hear(&mut self, mut bytes: &[u8]) -> Result<Heard, String> {
        let mut heard = Heard::default();
        while !bytes.is_empty() {
            let used = match &mut self.state {
                State::Body(left) | State::Chunk(left) => {
                    let used = bytes
                        .len()
                        .min(usize::try_from(*left).unwrap_or(usize::MAX));
                    *left -= used as u64;
                    if *left == 0 {
                        let whole = matches!(self.state, State::Body(_));
                        self.state = State::ChunkEnd;
                        if whole {
                            self.end(&mut heard);
                        }
                    }
                    used
                }
                State::UntilEnd => bytes.len(),
                State::Over => return Err("bytes after the last answer".to_owned()),
                State::Head | State::ChunkSize | State::ChunkEnd | State::Trailer => {
                    self.lines(bytes, &mut heard)?
                }
            };
            bytes = &bytes[used..];
        }
        Ok(heard)
    }

    /// The server has closed; true if that ends an answer.
    pub(crate) fn hear_end(&mut self) -> bool {
        let ends = self.state == State::UntilEnd;
        self.state = State::Over;
        ends
    }

    fn end(&mut self, heard: &mut Heard) {
        heard.answers += 1;
        heard.last |= self.closes;
        self.state = if self.closes {
            State::Over
        } else {
            State::Head
        };
    }

    /// Parses what comes in lines; how much of `bytes` it used.
    fn lines(&mut self, bytes: &[u8], heard: &mut Heard) -> Result<usize, String> {
        let before = self.kept.len();
        self.kept.extend_from_slice(bytes);
        let text = std::mem::take(&mut self.kept);
        let parsed = match self.state {
            State::Head => self.head(&text, heard)?,
            State::ChunkSize => self.chunk_size(&text)?,
            State::ChunkEnd => self.chunk_end(&text)?,
            _ => self.trailer(&text, heard)?,
        };
        if let Some(used) = parsed {
            return Ok(used - before);
        }
        if text.len() > LINES_MAX {
            return Err(format!("a header of more than {LINES_MAX} bytes"));
        }
        self.kept = text;
        Ok(bytes.len())
    }

    fn head(&mut self, text: &[u8], heard: &mut Heard) -> Result<Option<usize>, String> {
        let mut headers = [httparse::EMPTY_HEADER; 128];
        let mut head = httparse::Response::new(&mut headers);
        let used = match head.parse(text) {
            Ok(httparse::Status::Complete(used)) => used,
            Ok(httparse::Status::Partial) => return Ok(None),
            Err(error) => return Err(format!("not an HTTP/1.1 answer: {error}")),
        };
        let code = head.code.unwrap_or(0);
        if (100..200).contains(&code) {
            return if code == 101 {
                Err("the server switched to another protocol".to_owned())
            } else {
                Ok(Some(used)) // an interim answer: the real one follows
            };
        }
        if !(200..400).contains(&code) {
            return Err(format!("status {code} {}", head.reason.unwrap_or("")));
        }
        let framing = framing(&head, code)?;
        self.closes = framing == State::UntilEnd || closes(head.headers, head.version);
        self.state = framing;
        if self.state == State::Body(0) {
            self.end(heard);
        }
        Ok(Some(used))
    }

    fn chunk_size(&mut self, text: &[u8]) -> Result<Option<usize>, String> {
        match httparse::parse_chunk_size(text) {
            Ok(httparse::Status::Complete((used, 0))) => {
                self.state = State::Trailer;
                Ok(Some(used))
            }
            Ok(httparse::Status::Complete((used, size))) => {
                self.state = State::Chunk(size);
                Ok(Some(used))
            }
            Ok(httparse::Status::Partial) => Ok(None),
            Err(_) => Err("a chunk whose size is no number".to_owned()),
        }
    }

    fn chunk_end(&mut self, text: &[u8]) -> Result<Option<usize>, String> {
        match text {
            [b'\r'] => Ok(None),
            [b'\r', b'\n', ..] => {
                self.state = State::ChunkSize;
                Ok(Some(2))
            }
            _ => Err("a chunk that does not end where its size says".to_owned()),
        }
    }

    fn trailer(&mut self, text: &[u8], heard: &mut Heard) -> Result<Option<usize>, String> {
        let end = if text.starts_with(b"\r\n") {
            Some(2)
        } else {
            let found = text.windows(4).position(|four| four == b"\r\n\r\n");
            found.map(|at| at + 4)
        };
        if end.is_some() {
            self.end(heard);
        }
        Ok(end)
    }
}

/// How the body ends. What two readers could cut at different places is refused.
fn framing(head: &httparse::Response<'_, '_>, code: u16) -> Result<State, String> {
    if code == 204 || code == 304 {
        return Ok(State::Body(0));
    }
    let (mut length, mut chunked) = (None, false);
    for header in head.headers.iter() {
        if header.name.eq_ignore_ascii_case("transfer-encoding") {
            let known = header.value.eq_ignore_ascii_case(b"chunked");
            if chunked || !known || head.version == Some(0) {
                return Err("a transfer encoding that was not asked for".to_owned());
            }
            chunked = true;
        }
        if header.name.eq_ignore_ascii_case("content-length") {
            let number = content_length(header.value)?;
            if length.is_some_and(|before| before != number) {
                return Err("two lengths".to_owned());
            }
            length = Some(number);
        }
    }
    match (chunked, length) {
        (true, Some(_)) => Err("a length and a transfer encoding".to_owned()),
        (true, None) => Ok(State::ChunkSize),
        (false, length) => Ok(length.map_or(State::UntilEnd, State::Body)),
    }
}

fn content_length(value: &[u8]) -> Result<u64, String> {
    let text = std::str::from_utf8(value).unwrap_or("");
    let digits = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    let number: Option<u64> = text.parse().ok().filter(|_| digits);
    number.ok_or_else(|| format!("a length of {text:?}"))
}

fn closes(headers: &[httparse::Header<'_>], version: Option<u8>) -> bool {
    let says = |what: &str| {
        headers
            .iter()
            .filter(|header| header.name.eq_ignore_ascii_case("connection"))
            .filter_map(|header| std::str::from_utf8(header.value).ok())
            .flat_map(|value| value.split(','))
            .any(|word| word.trim().eq_ignore_ascii_case(what))
    };
    says("close") || (version == Some(0) && !says("keep-alive"))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Fed in parts of each size: answers, and whether it was the last.
    fn hear(text: &str) -> Result<(usize, bool), String> {
        let mut results = Vec::new();
        for cut in 1..=text.len() {
            let mut answer = Answer::new();
            let mut all = Heard::default();
            let result = text.as_bytes().chunks(cut).try_for_each(|part| {
                let heard = answer.hear(part)?;
                all.answers += heard.answers;
                all.last |= heard.last;
                Ok::<(), String>(())
            });
            all.answers += usize::from(result.is_ok() && answer.hear_end());
            results.push(result.map(|()| (all.answers, all.last)));
        }
        results.dedup();
        assert_eq!(results.len(), 1, "it depends on how it is cut: {text:?}");
        results.remove(0)
    }

    #[test]
    fn bodies_end_by_length_by_chunks_or_with_the_connection() {
        for (text, expected) in [
            (
                "HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nabc",
                (1, false),
            ),
            (
                "HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\nHTTP/1.1 204 No\r\n\r\n",
                (2, false),
            ),
            (
                "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n",
                (1, false),
            ),
            (
                "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1;x=y\r\na\r\n0\r\nT: 1\r\n\r\n",
                (1, false),
            ),
            (
                "HTTP/1.1 200 OK\r\nConnection: x, close\r\nContent-Length: 1\r\n\r\na",
                (1, true),
            ),
            ("HTTP/1.0 200 OK\r\nContent-Length: 1\r\n\r\na", (1, true)),
            ("HTTP/1.1 200 OK\r\n\r\nall that comes", (1, false)),
            (
                "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n",
                (1, false),
            ),
        ] {
            assert_eq!(hear(text), Ok(expected), "{text:?}");
        }
    }

    #[test]
    fn what_is_not_right_is_told() {
        for text in [
            "HTTP/1.1 500 Oh\r\nContent-Length: 0\r\n\r\n",
            "SSH-2.0-OpenSSH\r\n\r\n",
            "HTTP/1.1 200 OK\r\nContent-Length: +1\r\n\r\na",
            "HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nab",
            "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
            "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabcd\n0\r\n\r\n",
            "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\rd0\r\n\r\n",
            "HTTP/1.1 200 OK\r\nContent-Length: 4\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
            "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nContent-Length: 4\r\n\r\n0\r\n\r\n",
            "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nTransfer-Encoding: gzip\r\n\r\n0\r\n\r\n",
            "HTTP/1.0 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
            "HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 1\r\n\r\nab",
        ] {
            assert!(hear(text).is_err(), "{text:?}");
        }
    }

    #[test]
    fn a_header_without_end_is_refused() {
        let mut answer = Answer::new();
        answer.hear(b"HTTP/1.1 200 OK\r\n").expect("so far");
        let line = b"X: y\r\n".repeat(100);
        let ended = (0..1000).any(|_| answer.hear(&line).is_err());
        assert!(ended);
        assert!(answer.kept.len() <= 2 * LINES_MAX);
    }
}
