//! One request and the head of its response, on any stream.
//!
//! The protocol is ureq-proto's state machine, which sees only bytes; this file moves them:
//!
//! ```text
//!   Prepare ──▶ SendRequest ──1──▶ RecvResponse ──2──▶ the gate ──3──▶ RecvBody (body.rs)
//!                                    │    ▲                  │
//!                                    └─1xx┘                  └──▶ Cleanup: no body
//! ```
//! 1 the whole head goes out in one write: two would meet Nagle's algorithm and a delayed ACK
//! 2 bytes are collected until the head is complete, at most `HEAD_BYTES`
//! 3 `limits::check_head` refuses what could be read in two ways
//!
//! A [`Connection`] is moved in, and comes back only out of a body that ended well. Whoever drops
//! the future, or meets an error, has thereby closed the connection.

use std::{
    future::poll_fn,
    io,
    pin::Pin,
    task::{Context, Poll, ready},
    time::Instant,
};

use futures_io::{AsyncRead, AsyncWrite};
use http::{Request, Response};
use ureq_proto::client::{Call, RecvResponseResult, SendRequestResult, state::RecvResponse};

use super::{
    body::Body,
    error::{Failure, Kind},
    limits::{BUFFER_BYTES, HEAD_BYTES, check_head, content_length},
    trace::{Phase, Trace, add},
};

/// A stream, and what has been read from it but belongs to no response yet.
pub(crate) struct Connection<S> {
    pub(crate) stream: S,
    input: Box<[u8]>,
    start: usize,
    end: usize,
}

impl<S: AsyncRead + AsyncWrite + Unpin> Connection<S> {
    pub(crate) fn new(stream: S) -> Connection<S> {
        Connection {
            stream,
            input: vec![0; BUFFER_BYTES].into(),
            start: 0,
            end: 0,
        }
    }

    /// The bytes that nobody has understood yet.
    pub(crate) fn unread(&self) -> &[u8] {
        &self.input[self.start..self.end]
    }

    pub(crate) fn consume(&mut self, bytes: usize) {
        self.start += bytes;
        debug_assert!(self.start <= self.end);
        if self.start == self.end {
            (self.start, self.end) = (0, 0);
        }
    }

    /// Reads more bytes behind the unread ones: how many, 0 at the end of the stream.
    ///
    /// # Errors
    ///
    /// The stream's, and `Kind::TooLarge` when `BUFFER_BYTES` did not hold one element of HTTP.
    pub(crate) fn poll_more(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<usize>> {
        if self.end == self.input.len() {
            self.input.copy_within(self.start..self.end, 0);
            (self.start, self.end) = (0, self.end - self.start);
        }
        if self.end == self.input.len() {
            let message = format!(
                "the server sent over {} KiB without a line end",
                BUFFER_BYTES / 1024
            );
            return Poll::Ready(Err(Failure::new(Kind::TooLarge, message).into()));
        }
        let read = ready!(Pin::new(&mut self.stream).poll_read(cx, &mut self.input[self.end..]))?;
        self.end += read;
        Poll::Ready(Ok(read))
    }

    /// Looks, without waiting, for what the server says unasked: nothing, if it is still sound.
    pub(crate) async fn peek(&mut self) -> Quiet {
        if !self.unread().is_empty() {
            return Quiet::Spoke(self.unread().len());
        }
        poll_fn(|cx| {
            Poll::Ready(match self.poll_more(cx) {
                Poll::Pending => Quiet::Silent,
                Poll::Ready(Ok(0) | Err(_)) => Quiet::Closed,
                Poll::Ready(Ok(bytes)) => Quiet::Spoke(bytes),
            })
        })
        .await
    }
}

/// What an idle connection does.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Quiet {
    /// Nothing, as it should: it can carry another request.
    Silent,
    /// The server has closed it, or it broke.
    Closed,
    /// That many bytes came that belong to no response.
    Spoke(usize),
}

/// A response whose body is still to come.
pub(crate) struct Reply<S> {
    pub(crate) head: Response<()>,
    pub(crate) body: Body<S>,
}

/// Sends `request` and reads the response's head. The body may take `wire_limit` bytes.
///
/// # Errors
///
/// `Kind::Closed` if the connection ended or broke (`trace.first_byte` tells whether anything had come),
/// `Kind::Protocol` and `Kind::TooLarge` for a head that this program does not accept.
///
/// # Cancellation
///
/// Dropping the future closes the connection: it may have a response under way.
pub(crate) async fn exchange<S>(
    mut connection: Connection<S>,
    request: Request<()>,
    wire_limit: u64,
    trace: &mut Trace,
) -> Result<Reply<S>, Failure>
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    trace.phase = Phase::Sending;
    let sent = Instant::now();
    let mut call = send(&mut connection, request).await?;
    trace.phase = Phase::Waiting;

    let mut heads = 0;
    let mut answered = false;
    let head = loop {
        let (used, head) = call
            .try_response(connection.unread(), false)
            .map_err(|error| not_http(&error))?;
        connection.consume(used);
        heads += used;
        if let Some(head) = head {
            break head;
        }
        if heads + connection.unread().len() >= HEAD_BYTES {
            return Err(Failure::new(
                Kind::TooLarge,
                format!("the response's head is over {} KiB", HEAD_BYTES / 1024),
            ));
        }
        if used > 0 {
            continue; // an informational head: the next one may be here already
        }
        let read = poll_fn(|cx| connection.poll_more(cx))
            .await
            .map_err(|error| {
                Failure::from_io(
                    error,
                    Kind::Closed,
                    "the connection broke before the response's head was complete",
                )
            })?;
        if read == 0 {
            return Err(Failure::new(
                Kind::Closed,
                if answered {
                    "the server closed the connection within the response's head"
                } else {
                    "the server closed the connection without a response"
                },
            ));
        }
        if !answered {
            answered = true;
            add(&mut trace.first_byte, sent.elapsed());
        }
    };
    check_head(&head)?;
    trace.status = Some(head.status().as_u16());
    let declared = content_length(head.headers())?;
    let body = match call.proceed() {
        Some(RecvResponseResult::RecvBody(call)) => {
            Body::receiving(connection, call, declared, wire_limit)?
        }
        Some(RecvResponseResult::Redirect(call)) => {
            Body::empty(connection, !call.must_close_connection())
        }
        Some(RecvResponseResult::Cleanup(call)) => {
            Body::empty(connection, !call.must_close_connection())
        }
        None => unreachable!("a head was returned, so the call can proceed"),
    };
    Ok(Reply { head, body })
}

/// Writes the head in one piece.
async fn send<S>(
    connection: &mut Connection<S>,
    request: Request<()>,
) -> Result<Call<RecvResponse>, Failure>
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    let invalid = |error| {
        Failure::new(
            Kind::Protocol,
            format!("the request cannot be sent: {error}"),
        )
    };
    let headers: usize = request
        .headers()
        .iter()
        .map(|(name, value)| name.as_str().len() + value.len() + 4)
        .sum();
    // The state machine adds Host and, from user:password in the URL, Authorization.
    let mut head = vec![0; 1024 + headers + 4 * request.uri().to_string().len()];
    let mut call = Call::new(request).map_err(invalid)?.proceed();
    let length = call.write(&mut head).map_err(invalid)?;
    debug_assert!(call.can_proceed(), "the buffer holds the longest head");

    let broke = |error| {
        Failure::from_io(
            error,
            Kind::Closed,
            "the connection broke while the request was sent",
        )
    };
    let mut rest = &head[..length];
    while !rest.is_empty() {
        let wrote = poll_fn(|cx| Pin::new(&mut connection.stream).poll_write(cx, rest))
            .await
            .map_err(broke)?;
        if wrote == 0 {
            return Err(broke(io::ErrorKind::WriteZero.into()));
        }
        rest = &rest[wrote..];
    }
    poll_fn(|cx| Pin::new(&mut connection.stream).poll_flush(cx))
        .await
        .map_err(broke)?;
    match call.proceed().map_err(invalid)? {
        Some(SendRequestResult::RecvResponse(call)) => Ok(call),
        _ => unreachable!("a GET has no body and expects no 100"),
    }
}

fn not_http(error: &ureq_proto::Error) -> Failure {
    let failure = Failure::new(
        Kind::Protocol,
        format!("the response is not valid HTTP/1.1: {error}"),
    );
    failure.advise("check the port, and http against https")
}
