//! `BufReader` against a plain vector: any chunks, any drops, the same bytes.

use futures_io::AsyncRead;
use proptest::prelude::*;
use std::collections::VecDeque;
use std::io;
use std::pin::{Pin, pin};
use std::string::FromUtf8Error;
use std::task::{Context, Poll};
use wakeline_net::io::{AsyncReadExt, BufReader, EarlyEnd, LimitExceeded};
use wakeline_net::testing::poll_now;

/// Gives its chunks one a read, and is pending before each.
struct Chunks {
    chunks: VecDeque<Vec<u8>>,
    pending_next: bool,
}

impl Chunks {
    fn new(chunks: impl IntoIterator<Item = Vec<u8>>) -> Chunks {
        Chunks {
            chunks: chunks
                .into_iter()
                .filter(|chunk| !chunk.is_empty())
                .collect(),
            pending_next: true,
        }
    }
}

impl AsyncRead for Chunks {
    fn poll_read(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
        buf: &mut [u8],
    ) -> Poll<io::Result<usize>> {
        if std::mem::replace(&mut self.pending_next, false) {
            return Poll::Pending;
        }
        self.pending_next = true;
        let Some(mut chunk) = self.chunks.pop_front() else {
            return Poll::Ready(Ok(0));
        };
        let n = chunk.len().min(buf.len());
        buf[..n].copy_from_slice(&chunk[..n]);
        if n < chunk.len() {
            self.chunks.push_front(chunk.split_off(n));
        }
        Poll::Ready(Ok(n))
    }
}

/// Polls to the end, dropping the future and making it anew at each pending
/// poll that `drops` says so.
macro_rules! with_drops {
    ($drops:expr, $make:expr) => {{
        'anew: loop {
            let mut future = pin!($make);
            loop {
                match poll_now(future.as_mut()) {
                    Poll::Ready(result) => break 'anew result,
                    Poll::Pending if $drops.next().unwrap_or(false) => continue 'anew,
                    Poll::Pending => {}
                }
            }
        }
    }};
}

#[derive(Clone, Debug)]
enum Step {
    Exact(usize),
    Until(Vec<u8>),
    Read(usize),
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        (0_usize..40).prop_map(Step::Exact),
        proptest::collection::vec(0_u8..3, 1..4).prop_map(Step::Until),
        (0_usize..6000).prop_map(Step::Read),
    ]
}

/// How many bytes a step takes from `rest`; `None`: it is an early end.
fn expected(step: &Step, rest: &[u8]) -> Option<usize> {
    match step {
        Step::Exact(n) => (*n <= rest.len()).then_some(*n),
        Step::Until(separator) => Some(
            rest.windows(separator.len())
                .position(|window| window == separator)
                .map_or(rest.len(), |at| at + separator.len()),
        ),
        Step::Read(_) => None,
    }
}

proptest! {
    #[test]
    fn any_chunks_and_any_drops_give_the_same_bytes(
        chunks in proptest::collection::vec(proptest::collection::vec(0_u8..3, 0..50), 0..30),
        big in proptest::option::of(4000_usize..20_000),
        steps in proptest::collection::vec(step(), 1..40),
        drops in proptest::collection::vec(any::<bool>(), 0..200),
    ) {
        let mut chunks = chunks;
        chunks.extend(big.map(|len| vec![2; len]));
        let all: Vec<u8> = chunks.concat();
        let mut rest = &all[..];
        let mut drops = drops.into_iter();
        let mut reader = BufReader::new(Chunks::new(chunks));
        for step in steps {
            let wanted = expected(&step, rest);
            let got = match &step {
                Step::Exact(n) => {
                    let mut out = vec![9; *n];
                    match with_drops!(drops, reader.read_exact(&mut out)) {
                        Ok(()) => out,
                        Err(error) => {
                            prop_assert_eq!(wanted, None);
                            let early = error.get_ref().and_then(|e| e.downcast_ref::<EarlyEnd>());
                            prop_assert_eq!(early.map(|e| (e.read(), e.wanted())), Some((rest.len(), *n)));
                            continue;
                        }
                    }
                }
                Step::Until(separator) => {
                    let mut out = Vec::new();
                    with_drops!(drops, reader.read_until(separator, &mut out)).unwrap();
                    out
                }
                Step::Read(n) => {
                    let mut out = vec![9; *n];
                    let n = with_drops!(drops, AsyncReadExt::read(&mut reader, &mut out)).unwrap();
                    prop_assert!(n > 0 || out.is_empty() || rest.is_empty(), "no false end");
                    out.truncate(n);
                    out
                }
            };
            if let Some(wanted) = wanted {
                prop_assert_eq!(got.len(), wanted, "{:?}", step);
            }
            prop_assert_eq!(&got[..], &rest[..got.len()], "{:?}", step);
            rest = &rest[got.len()..];
        }
    }
}

fn reader(chunks: &[&str], limit: usize) -> BufReader<Chunks> {
    let chunks = chunks.iter().map(|chunk| chunk.as_bytes().to_vec());
    BufReader::with_limit(limit, Chunks::new(chunks))
}

#[test]
fn a_separator_is_found_across_chunks_and_after_a_false_beginning() {
    let mut none = std::iter::empty();
    for chunks in [
        &["ab\r\r\n\r", "\n\r\nrest"][..],
        &["ab\r", "\r\n\r\n", "\r\nrest"],
        &[
            "a", "b", "\r", "\r", "\n", "\r", "\n", "\r", "\n", "r", "est",
        ],
    ] {
        let mut reader = reader(chunks, 100);
        let mut out = Vec::new();
        let n = with_drops!(none, reader.read_until(b"\n\r\n", &mut out)).unwrap();
        assert_eq!((n, &out[..]), (7, &b"ab\r\r\n\r\n"[..]), "{chunks:?}");
    }
}

#[test]
fn beyond_the_limit_is_an_error_that_takes_nothing() {
    let mut none = std::iter::empty();
    let mut reader = reader(&["12345", "67890", "\nnext\n"], 8);
    let mut line = String::new();
    for _ in 0..2 {
        let error = with_drops!(none, reader.read_line(&mut line)).unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::InvalidData);
        let limit = error
            .get_ref()
            .and_then(|e| e.downcast_ref::<LimitExceeded>());
        assert_eq!(limit.map(LimitExceeded::limit), Some(8));
    }
    assert_eq!((line.as_str(), reader.buffer()), ("", &b"1234567890"[..]));
    let mut skipped = [0; 11];
    with_drops!(none, reader.read_exact(&mut skipped)).unwrap();
    with_drops!(none, reader.read_line(&mut line)).unwrap();
    assert_eq!(line, "next\n");
}

#[test]
fn a_line_exactly_at_the_limit_is_a_line() {
    let mut none = std::iter::empty();
    let mut reader = reader(&["1234567\n", "12345678\n"], 8);
    let mut line = String::new();
    assert_eq!(with_drops!(none, reader.read_line(&mut line)).unwrap(), 8);
    assert!(with_drops!(none, reader.read_line(&mut line)).is_err());
}

/// So is what is left at the end, which has no separator.
#[test]
fn a_last_line_exactly_at_the_limit_is_a_line() {
    let mut none = std::iter::empty();
    for (chunks, limit, expected) in [
        (&["ab\nabc"][..], 3, Some("abc")),
        (&["ab\na", "bc"], 3, Some("abc")),
        (&["ab\nabcd"], 3, None),
        (&["ab\nabc\n"], 3, None),
        (&["ab\n"], 3, Some("")),
    ] {
        let mut reader = reader(chunks, limit);
        let mut line = String::new();
        assert_eq!(with_drops!(none, reader.read_line(&mut line)).unwrap(), 3);
        line.clear();
        let read = with_drops!(none, reader.read_line(&mut line)).ok();
        let read = read.map(|_| line.as_str());
        assert_eq!(read, expected, "{chunks:?}");
    }
    let mut empty = reader(&[], 0);
    let mut line = String::new();
    let read = with_drops!(none, empty.read_line(&mut line));
    assert_eq!(read.unwrap(), 0, "it is the end");
}

#[test]
fn a_line_that_is_no_text_stays_to_be_read_as_bytes() {
    let mut none = std::iter::empty();
    let chunks = [b"\xff\xfe\n".to_vec(), b"good\n".to_vec()];
    let mut reader = BufReader::new(Chunks::new(chunks));
    let mut line = String::new();
    let error = with_drops!(none, reader.read_line(&mut line)).unwrap_err();
    assert_eq!(error.kind(), io::ErrorKind::InvalidData);
    let mut bytes = Vec::new();
    with_drops!(none, reader.read_until(b"\n", &mut bytes)).unwrap();
    assert_eq!(bytes, b"\xff\xfe\n");
    with_drops!(none, reader.read_line(&mut line)).unwrap();
    assert_eq!(line, "good\n");
}

#[test]
fn a_line_that_is_no_text_is_one_error_of_the_lines_and_they_go_on() {
    let mut none = std::iter::empty();
    let chunks = [b"\xff\xfe\r\n".to_vec(), b"good\n".to_vec()];
    let mut lines = BufReader::new(Chunks::new(chunks)).lines();
    let error = with_drops!(none, lines.next_line()).unwrap_err();
    assert_eq!(error.kind(), io::ErrorKind::InvalidData);
    let bytes = error.get_ref().and_then(|inner| inner.downcast_ref());
    assert_eq!(bytes.map(FromUtf8Error::as_bytes), Some(&b"\xff\xfe"[..]));
    let line = with_drops!(none, lines.next_line()).unwrap();
    assert_eq!(line.as_deref(), Some("good"));
    assert_eq!(with_drops!(none, lines.next_line()).unwrap(), None);
}

#[test]
fn a_line_beyond_the_limit_is_the_end_of_the_lines_and_stays_in_the_reader() {
    let mut none = std::iter::empty();
    let mut lines = reader(&["12345678", "9\n"], 4).lines();
    let error = with_drops!(none, lines.next_line()).unwrap_err();
    let limit = error.get_ref().and_then(|inner| inner.downcast_ref());
    assert_eq!(limit.map(LimitExceeded::limit), Some(4));
    assert_eq!(with_drops!(none, lines.next_line()).unwrap(), None);
    assert!(lines.into_inner().buffer().starts_with(b"1234"));
}
