//! The fetcher's reader of one HTTP/1.1 response, head and body.
//!
//! However the stream is cut into reads, and wherever there is a wait: the same head, the same
//! bytes of the body, the same kind of error. A well-formed response gives what went into it,
//! and its connection back if it may carry another request; one whose end is missing is an
//! error, and so is one whose end is told in two ways. No body is beyond its limit.
//!
//! The reader is private to an example: its files are compiled here once more.

#![no_main]

use arbitrary::Arbitrary;
use body::Body;
use error::{Failure, Kind};
use exchange::{Connection, exchange};
use futures_io::AsyncRead;
use http::Request;
use libfuzzer_sys::fuzz_target;
use std::future::poll_fn;
use std::pin::Pin;
use trace::Trace;
use wakeline_fuzz::answers::{Answer, Framing, Piece};
use wakeline_fuzz::script::{Cuts, Stream, finish};

#[path = "../../../examples/fetch/body.rs"]
#[allow(dead_code, reason = "nothing is reported")]
mod body;
#[path = "../../../examples/fetch/error.rs"]
#[allow(dead_code, reason = "nothing is reported")]
mod error;
#[path = "../../../examples/fetch/exchange.rs"]
mod exchange;
#[path = "../../../examples/fetch/limits.rs"]
#[allow(dead_code, reason = "nothing is decoded or discarded")]
mod limits;
#[path = "../../../examples/fetch/trace.rs"]
#[allow(dead_code, reason = "nothing is reported")]
mod trace;

/// More polls than any of the streams has pieces and waits.
const POLLS: usize = 100_000;

#[derive(Arbitrary, Debug)]
struct Way {
    cuts: Cuts,
    waits: u8,
    /// Bytes of the body that are asked for at a time.
    step: u8,
}

#[derive(Arbitrary, Debug)]
enum Input {
    /// The second is the limit of the body.
    Any(Vec<Piece>, u16, [Way; 2]),
    /// A response, whether the connection ends then, and what comes after it.
    Good(Answer, bool, Vec<u8>, Way),
    /// A response of which the last bytes do not come.
    Short(Answer, u16, Way),
    /// One that says twice where its body ends.
    Twice(Answer, Way),
}

/// What came of it: the status and the body, as far as it came, and what ended it.
#[derive(Debug, PartialEq, Eq)]
struct Outcome {
    status: Option<u16>,
    body: Vec<u8>,
    error: Option<Kind>,
}

impl Outcome {
    fn failed(failure: &Failure) -> Outcome {
        Outcome {
            status: None,
            body: Vec::new(),
            error: Some(failure.kind),
        }
    }
}

async fn read<'a>(stream: Stream<'a>, limit: u64, step: u8) -> (Outcome, Option<Body<Stream<'a>>>) {
    let request = Request::get("http://host/").body(()).expect("a request");
    let connection = Connection::new(stream);
    let mut reply = match exchange(connection, request, limit, &mut Trace::default()).await {
        Ok(reply) => reply,
        Err(failure) => return (Outcome::failed(&failure), None),
    };
    let mut outcome = Outcome {
        status: Some(reply.head.status().as_u16()),
        body: Vec::new(),
        error: None,
    };
    let mut piece = vec![0; usize::from(step) + 1];
    loop {
        match poll_fn(|cx| Pin::new(&mut reply.body).poll_read(cx, &mut piece)).await {
            Ok(0) => break,
            Ok(n) => outcome.body.extend_from_slice(&piece[..n]),
            Err(error) => {
                outcome.error = Some(Failure::from_io(error, Kind::Internal, "").kind);
                return (outcome, None);
            }
        }
    }
    (outcome, Some(reply.body))
}

fn any(pieces: &[Piece], limit: u16, [one, other]: &[Way; 2]) {
    let mut bytes = Vec::new();
    pieces.iter().for_each(|piece| piece.write(&mut bytes));
    let [one, other] = [one, other].map(|way| {
        let stream = Stream::new(&bytes, &way.cuts, way.waits, true);
        let (outcome, _) = finish(read(stream, limit.into(), way.step), POLLS).expect("an end");
        assert_ne!(outcome.error, Some(Kind::Internal));
        assert!(outcome.body.len() <= usize::from(limit));
        outcome
    });
    assert_eq!(one.status, other.status);
    assert_eq!(one.error, other.error);
    // Of a body that ends with an error, more may have been handed out before it is seen.
    if one.error.is_none() {
        assert_eq!(one.body, other.body);
    }
}

fn good(answer: &Answer, ends: bool, more: &[u8], way: &Way) {
    let until_end = answer.has_body() && answer.framing == Framing::UntilEnd;
    let ends = ends || until_end;
    let mut bytes = Vec::new();
    answer.write(&mut bytes);
    bytes.extend_from_slice(more);
    let stream = Stream::new(&bytes, &way.cuts, way.waits, ends);
    let read = finish(read(stream, u64::MAX, way.step), POLLS);
    let (outcome, body) = read.expect("an end");
    let mut expected = answer.body();
    if until_end {
        expected.extend_from_slice(more);
    }
    assert_eq!(outcome.error, None);
    assert_eq!(outcome.status, Some(answer.code()));
    assert_eq!(outcome.body, expected);

    let body = body.expect("it ended well");
    let finished = finish(body.finish(), 1).expect("it does not wait");
    match finished {
        Ok(Some(connection)) => {
            assert!(!answer.closes(), "it was said that it closes");
            assert!(connection.unread().is_empty());
        }
        Ok(None) => assert!(answer.closes() || ends, "a connection is lost"),
        Err(failure) => {
            assert!(!more.is_empty() && !until_end);
            assert_eq!(failure.kind, Kind::Protocol);
        }
    }
}

fn short(answer: &Answer, lost: usize, way: &Way) {
    let mut bytes = Vec::new();
    answer.write(&mut bytes);
    let lost = lost % bytes.len() + 1;
    if lost <= answer.spare() {
        return;
    }
    let stream = Stream::new(&bytes[..bytes.len() - lost], &way.cuts, way.waits, true);
    let read = finish(read(stream, u64::MAX, way.step), POLLS);
    let (outcome, _) = read.expect("an end");
    assert_eq!(outcome.error, Some(Kind::Closed), "it ended too early");
    assert!(answer.body().starts_with(&outcome.body));
}

fn twice(answer: &Answer, way: &Way) {
    let Some(bytes) = answer.twice_framed() else {
        return;
    };
    let stream = Stream::new(&bytes, &way.cuts, way.waits, true);
    let read = finish(read(stream, u64::MAX, way.step), POLLS);
    let (outcome, _) = read.expect("an end");
    assert_eq!(
        outcome.error,
        Some(Kind::Protocol),
        "it can be cut in two ways"
    );
}

fuzz_target!(|input: Input| match input {
    Input::Any(pieces, limit, ways) => any(&pieces, limit, &ways),
    Input::Short(answer, lost, way) => short(&answer, lost.into(), &way),
    Input::Twice(answer, way) => twice(&answer, &way),
    Input::Good(answer, ends, more, way) => good(&answer, ends, &more, &way),
});
