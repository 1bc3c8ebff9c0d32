//! `BufReader` against the bytes that it reads from.
//!
//! Whatever is read, in whatever pieces the bytes come, with waits and errors between
//! them, and with futures that are dropped while they wait: each read gives what
//! stands next or takes nothing, the separator that ends it is the first one, the limit holds,
//! no error is lost, and what is buffered is what stands next.

#![no_main]

use std::io;
use std::pin::pin;
use std::rc::Rc;
use std::task::{Context, Poll, Waker};

use arbitrary::Arbitrary;
use libfuzzer_sys::fuzz_target;
use wakeline_fuzz::source::{Event, Source};
use wakeline_net::io::{AsyncBufReadExt, AsyncReadExt, BufReader, EarlyEnd, LimitExceeded};

#[derive(Arbitrary, Debug)]
enum Step {
    Exact(u16),
    Until(Separator),
    Line,
    Read(u16),
    Fill(u16),
    /// That of the trait, which moves in steps.
    TraitUntil(u8),
}

#[derive(Arbitrary, Debug)]
enum Separator {
    Any([u8; 2]),
    LineEnd,
    Same(u8),
    HeadEnd,
    None,
}

impl Separator {
    fn bytes(&self) -> Vec<u8> {
        match self {
            Separator::Any(bytes) => bytes.to_vec(),
            Separator::LineEnd => b"\n".to_vec(),
            Separator::Same(times) => vec![b'\r'; usize::from(times % 5)],
            Separator::HeadEnd => b"\r\n\r\n".to_vec(),
            Separator::None => Vec::new(),
        }
    }
}

#[derive(Arbitrary, Debug)]
struct Input {
    limit: u16,
    events: Vec<Event>,
    steps: Vec<Step>,
    drops: u32,
    /// The rest is read as lines.
    lines: bool,
}

/// Where the bytes end that a search gives; `None` is beyond the limit.
fn found(rest: &[u8], separator: &[u8], limit: usize) -> Option<usize> {
    if separator.is_empty() {
        return Some(0);
    }
    let mut windows = rest.windows(separator.len());
    match windows.position(|window| window[0] == separator[0] && window == separator) {
        Some(at) => Some(at + separator.len()).filter(|end| *end <= limit),
        None => (rest.len() < limit).then_some(rest.len()),
    }
}

/// Polls to the end; at each wait the future may be dropped and made anew.
macro_rules! drive {
    ($drops:expr, $make:expr) => {{
        'anew: loop {
            let mut future = pin!($make);
            loop {
                match future
                    .as_mut()
                    .poll(&mut Context::from_waker(Waker::noop()))
                {
                    Poll::Ready(result) => break 'anew result,
                    Poll::Pending => {
                        $drops = $drops.rotate_left(1);
                        if $drops & 1 == 1 {
                            continue 'anew;
                        }
                    }
                }
            }
        }
    }};
}

/// A reader beside what it has to read.
struct Run {
    reader: BufReader<Source>,
    all: Rc<[u8]>,
    at: usize,
    limit: usize,
    drops: u32,
    errors: usize,
}

impl Run {
    /// Whether it is the source's error, which took nothing.
    fn is_planned(&mut self, error: &io::Error) -> bool {
        let planned = error.kind() == io::ErrorKind::Other;
        self.errors += usize::from(planned);
        planned
    }

    fn took(&mut self, bytes: &[u8]) {
        assert_eq!(bytes, &self.all[self.at..][..bytes.len()]);
        self.at += bytes.len();
    }

    fn step(&mut self, step: &Step) {
        match step {
            Step::Exact(n) => self.exact((*n).into()),
            Step::Until(separator) => self.until(&separator.bytes()),
            Step::Line => self.line(),
            Step::Read(n) => self.read((*n).into()),
            Step::Fill(n) => self.fill((*n).into()),
            Step::TraitUntil(byte) => self.trait_until(*byte),
        }
        let shown = self.reader.buffer();
        assert_eq!(shown, &self.all[self.at..][..shown.len()]);
        assert_eq!(self.reader.get_ref().errors(), self.errors);
    }

    fn exact(&mut self, n: usize) {
        let mut out = vec![0; n];
        let left = self.all.len() - self.at;
        match drive!(self.drops, self.reader.read_exact(&mut out)) {
            Ok(()) => self.took(&out),
            Err(error) if self.is_planned(&error) => {}
            Err(error) => {
                let early = error.get_ref().and_then(|it| it.downcast_ref::<EarlyEnd>());
                let early = early.map(|it| (it.read(), it.wanted()));
                assert!(left < n && early == Some((left, n)), "{error}");
            }
        }
    }

    /// What a search says must be what is found; its error, if it is none of the source.
    fn searched(&mut self, separator: &[u8], result: io::Result<&[u8]>) -> Option<io::Error> {
        let end = found(&self.all[self.at..], separator, self.limit);
        match result {
            Ok(out) => {
                assert_eq!(end, Some(out.len()));
                self.took(out);
            }
            Err(error) if self.is_planned(&error) => {}
            Err(error) => {
                let beyond = error.get_ref().is_some_and(|it| it.is::<LimitExceeded>());
                assert_eq!(beyond, end.is_none(), "{error}");
                return Some(error);
            }
        }
        None
    }

    fn until(&mut self, separator: &[u8]) {
        let mut out = Vec::new();
        let result = drive!(self.drops, self.reader.read_until(separator, &mut out));
        let result = result.map(|n| assert_eq!(n, out.len()));
        if let Some(error) = self.searched(separator, result.map(|()| &out[..])) {
            assert!(
                found(&self.all[self.at..], separator, self.limit).is_none(),
                "{error}"
            );
        }
    }

    fn line(&mut self) {
        let mut out = String::new();
        let result = drive!(self.drops, self.reader.read_line(&mut out));
        let result = result.map(|n| assert_eq!(n, out.len()));
        if self
            .searched(b"\n", result.map(|()| out.as_bytes()))
            .is_some()
            && let Some(end) = found(&self.all[self.at..], b"\n", self.limit)
        {
            assert!(str::from_utf8(&self.all[self.at..][..end]).is_err());
        }
    }

    fn read(&mut self, n: usize) {
        let mut out = vec![0; n];
        match drive!(self.drops, AsyncReadExt::read(&mut self.reader, &mut out)) {
            Ok(got) => {
                assert!(got > 0 || n == 0 || self.at == self.all.len(), "no end");
                self.took(&out[..got]);
            }
            Err(error) => assert!(self.is_planned(&error)),
        }
    }

    fn fill(&mut self, n: usize) {
        let shown = match drive!(self.drops, self.reader.fill()) {
            Ok(shown) => shown.to_vec(),
            Err(error) => return assert!(self.is_planned(&error)),
        };
        assert!(!shown.is_empty() || self.at == self.all.len(), "no end");
        let n = n.min(shown.len());
        AsyncBufReadExt::consume(&mut self.reader, n);
        self.took(&shown[..n]);
    }

    fn trait_until(&mut self, byte: u8) {
        let mut out = Vec::new();
        let result = drive!(
            self.drops,
            AsyncBufReadExt::read_until(&mut self.reader, byte, &mut out)
        );
        let rest = &self.all[self.at..];
        match result {
            // After a drop it tells of the bytes since then.
            Ok(n) => assert!(n <= out.len() && Some(out.len()) == found(rest, &[byte], usize::MAX)),
            Err(error) => assert!(self.is_planned(&error)),
        }
        self.took(&out);
    }

    /// Reads all that is left as lines.
    fn lines(mut self) {
        let all = Rc::clone(&self.all);
        let mut rest = &all[self.at..];
        let mut lines = self.reader.lines();
        loop {
            let end = found(rest, b"\n", self.limit);
            match drive!(self.drops, lines.next_line()) {
                Err(error) if error.kind() == io::ErrorKind::Other => continue,
                Ok(None) => return assert_eq!(end, Some(0)),
                Ok(Some(line)) => {
                    let (this, after) = rest.split_at(end.expect("within the limit"));
                    assert_eq!(str::from_utf8(this).map(without_end), Ok(line.as_str()));
                    rest = after;
                }
                Err(error) => {
                    assert_eq!(error.kind(), io::ErrorKind::InvalidData);
                    let Some(end) = end else { return };
                    let (this, after) = rest.split_at(end);
                    assert!(str::from_utf8(this).is_err());
                    rest = after;
                }
            }
        }
    }
}

fn without_end(line: &str) -> &str {
    let Some(line) = line.strip_suffix('\n') else {
        return line;
    };
    line.strip_suffix('\r').unwrap_or(line)
}

fuzz_target!(|input: Input| {
    let source = Source::new(&input.events);
    let mut run = Run {
        all: Rc::clone(source.all()),
        at: 0,
        limit: input.limit.into(),
        drops: input.drops,
        errors: 0,
        reader: BufReader::with_limit(input.limit.into(), source),
    };
    for step in &input.steps {
        run.step(step);
    }
    if input.lines {
        run.lines();
    }
});
