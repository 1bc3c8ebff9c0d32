//! A response's body, cut out of the stream: chunks and lengths become a plain run of bytes.
//!
//! ```text
//!   Receiving ──1──▶ Ended { reuse }
//!       └──────2──▶ an error, every time
//! ```
//! 1 the state machine saw the last byte, or the stream's end where that ends the body
//! 2 the stream ended too early, a chunk is malformed, or more came than the limit allows
//!
//! `Body` is an `AsyncBufRead`, which is what the decoders of `decode.rs` take. When it has ended,
//! [`Body::finish`] gives the connection back, if it can carry another request.

use std::{
    io,
    pin::Pin,
    task::{Context, Poll, ready},
};

use futures_io::{AsyncBufRead, AsyncRead, AsyncWrite};
use ureq_proto::{
    BodyMode,
    client::{Call, RecvBodyResult, state::RecvBody},
};

use super::{
    error::{Failure, Kind},
    exchange::{Connection, Quiet},
    limits::{BUFFER_BYTES, TRAILER_BYTES},
};

enum State {
    Receiving(Box<Call<RecvBody>>),
    Ended { reuse: bool },
}

/// A body that is being received, and the connection it comes from.
pub(crate) struct Body<S> {
    connection: Connection<S>,
    state: State,
    declared: Option<u64>,
    /// Most bytes it may have on the wire, framing left out.
    limit: u64,
    received: u64,
    trailer: u64,
    plain: Box<[u8]>,
    start: usize,
    end: usize,
}

impl<S: AsyncRead + AsyncWrite + Unpin> Body<S> {
    /// A body of `declared` bytes, or of unknown length.
    ///
    /// # Errors
    ///
    /// `Kind::TooLarge` if `declared` is over `limit`: nothing is read then.
    pub(crate) fn receiving(
        connection: Connection<S>,
        call: Call<RecvBody>,
        declared: Option<u64>,
        limit: u64,
    ) -> Result<Body<S>, Failure> {
        match declared {
            Some(bytes) if bytes > limit => Err(too_large(&format!("has {bytes} bytes"), limit)),
            _ => Ok(Body::new(
                connection,
                State::Receiving(Box::new(call)),
                declared,
                limit,
                BUFFER_BYTES,
            )),
        }
    }

    /// A response without a body.
    pub(crate) fn empty(connection: Connection<S>, reuse: bool) -> Body<S> {
        Body::new(connection, State::Ended { reuse }, None, 0, 0)
    }

    fn new(
        connection: Connection<S>,
        state: State,
        declared: Option<u64>,
        limit: u64,
        buffer: usize,
    ) -> Body<S> {
        let plain = vec![0; buffer].into();
        Body {
            connection,
            state,
            declared,
            limit,
            received: 0,
            trailer: 0,
            plain,
            start: 0,
            end: 0,
        }
    }

    /// Bytes received so far, framing left out.
    pub(crate) fn received(&self) -> u64 {
        self.received
    }

    /// The length that the head promised.
    pub(crate) fn declared(&self) -> Option<u64> {
        self.declared
    }

    /// Reads and drops what is left, up to `limit` bytes in all.
    ///
    /// # Errors
    ///
    /// Those of reading; `Kind::TooLarge` if more than `limit` bytes are left.
    pub(crate) async fn discard(&mut self, limit: u64) -> io::Result<()> {
        self.limit = self.limit.min(self.received + limit);
        loop {
            std::future::poll_fn(|cx| self.poll_advance(cx)).await?;
            if self.start == self.end {
                return Ok(());
            }
            self.start = self.end;
        }
    }

    /// Ends the exchange: the connection, if it is in a state to carry another request.
    ///
    /// A body that was not read to its end closes its connection.
    ///
    /// # Errors
    ///
    /// `Kind::Protocol` if bytes have come that are beyond the end of the response: then one of the
    /// two lengths is a lie. Bytes that come later are met by the pool, which closes the connection.
    pub(crate) async fn finish(mut self) -> Result<Option<Connection<S>>, Failure> {
        let State::Ended { reuse } = self.state else {
            return Ok(None);
        };
        debug_assert_eq!(self.start, self.end, "ended, but not read");
        match self.connection.peek().await {
            Quiet::Silent if reuse => Ok(Some(self.connection)),
            Quiet::Silent | Quiet::Closed => Ok(None),
            Quiet::Spoke(bytes) => Err(Failure::new(
                Kind::Protocol,
                match self.declared {
                    Some(length) => format!(
                        "the server sent at least {bytes} bytes more than its Content-Length of {length}"
                    ),
                    None => format!(
                        "the server sent at least {bytes} bytes after the end of its response"
                    ),
                },
            )),
        }
    }

    /// Ready when `plain[start..end]` holds bytes, or is empty because the body has ended.
    fn poll_advance(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        while self.start == self.end {
            let State::Receiving(call) = &mut self.state else {
                return Poll::Ready(Ok(()));
            };
            let (used, made) = call
                .read(self.connection.unread(), &mut self.plain)
                .map_err(|error| {
                    Failure::new(
                        Kind::Protocol,
                        format!(
                            "a chunk of the body is malformed, after {} bytes: {error}",
                            self.received
                        ),
                    )
                })?;
            self.connection.consume(used);
            (self.start, self.end) = (0, made);
            self.received += made as u64;
            if self.received > self.limit {
                return Poll::Ready(Err(too_large("goes on", self.limit).into()));
            }
            if call.is_ended_chunked() {
                self.trailer += used as u64 - made as u64;
                if self.trailer > TRAILER_BYTES {
                    return Poll::Ready(Err(Failure::new(
                        Kind::TooLarge,
                        "the trailer after the body does not end",
                    )
                    .into()));
                }
            }
            if call.can_proceed() && call.body_mode() != BodyMode::CloseDelimited {
                self.end_state(true);
            } else if used == 0 && made == 0 {
                let read =
                    ready!(self.connection.poll_more(cx)).map_err(|error| self.broke(error))?;
                if read == 0 {
                    self.stream_ended()?;
                }
            }
        }
        Poll::Ready(Ok(()))
    }

    /// The stream's end is the body's where nothing else marks it, and too early elsewhere.
    fn stream_ended(&mut self) -> Result<(), Failure> {
        let State::Receiving(call) = &self.state else {
            unreachable!("only a body in receipt reads")
        };
        // The last chunk was there, only the empty line behind it was not.
        if call.body_mode() == BodyMode::CloseDelimited || call.is_ended_chunked() {
            self.end_state(false);
            return Ok(());
        }
        Err(Failure::new(
            Kind::Closed,
            match self.declared {
                Some(length) => format!(
                    "the server closed the connection after {} of {length} bytes",
                    self.received
                ),
                None => format!(
                    "the server closed the connection after {} bytes, before the last chunk",
                    self.received
                ),
            },
        ))
    }

    fn end_state(&mut self, complete: bool) {
        let before = std::mem::replace(&mut self.state, State::Ended { reuse: false });
        if let State::Receiving(call) = before
            && complete
        {
            let reuse = match call.proceed() {
                Some(RecvBodyResult::Cleanup(call)) => !call.must_close_connection(),
                Some(RecvBodyResult::Redirect(call)) => !call.must_close_connection(),
                None => unreachable!("the body has ended"),
            };
            self.state = State::Ended { reuse };
        }
    }

    fn broke(&self, error: io::Error) -> Failure {
        let doing = format!(
            "the connection broke after {} bytes of the body",
            self.received
        );
        Failure::from_io(error, Kind::Closed, &doing)
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> AsyncBufRead for Body<S> {
    fn poll_fill_buf(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<&[u8]>> {
        let this = self.get_mut();
        ready!(this.poll_advance(cx))?;
        Poll::Ready(Ok(&this.plain[this.start..this.end]))
    }

    fn consume(self: Pin<&mut Self>, bytes: usize) {
        self.get_mut().start += bytes;
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> AsyncRead for Body<S> {
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        into: &mut [u8],
    ) -> Poll<io::Result<usize>> {
        let this = self.get_mut();
        ready!(this.poll_advance(cx))?;
        let taken = into.len().min(this.end - this.start);
        into[..taken].copy_from_slice(&this.plain[this.start..this.start + taken]);
        this.start += taken;
        Poll::Ready(Ok(taken))
    }
}

fn too_large(what: &str, limit: u64) -> Failure {
    Failure::new(
        Kind::TooLarge,
        format!("the body {what}, and the limit is {limit} bytes"),
    )
    .advise("raise --max-size")
}
