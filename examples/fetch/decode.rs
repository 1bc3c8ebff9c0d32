//! Content codings: gzip, br and zstd, undone while the body streams in.
//!
//! A decoder pulls from the body and hands out plain bytes, a buffer at a time. It holds no
//! limit of its own: `client.rs` counts what comes out, so a bomb ends at `--max-size` however small
//! it was on the wire. What a decoder keeps inside is bounded by the format's window, and
//! zstd's, which the data could ask to be 128 MiB, by `limits::ZSTD_WINDOW_LOG`.

use std::{future::poll_fn, io, pin::Pin};

use async_compression::{
    futures::bufread::{BrotliDecoder, GzipDecoder, ZstdDecoder},
    zstd::DParameter,
};
use futures_io::{AsyncBufRead, AsyncRead};
use http::{HeaderMap, header};

use super::{
    error::{Failure, Kind},
    limits::ZSTD_WINDOW_LOG,
};

/// What `Accept-Encoding` says.
pub(crate) const ACCEPTED: &str = "gzip, br, zstd";

/// How the body was coded.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Coding {
    Plain,
    Gzip,
    Brotli,
    Zstd,
}

impl Coding {
    /// Reads `Content-Encoding`.
    ///
    /// # Errors
    ///
    /// `Kind::Decode` if it names another coding, or more than one.
    pub(crate) fn of(headers: &HeaderMap) -> Result<Coding, Failure> {
        let mut coding = Coding::Plain;
        for value in headers.get_all(header::CONTENT_ENCODING) {
            for name in value.as_bytes().split(|&byte| byte == b',') {
                let next = match name.trim_ascii().to_ascii_lowercase().as_slice() {
                    b"" | b"identity" => continue,
                    b"gzip" | b"x-gzip" => Coding::Gzip,
                    b"br" => Coding::Brotli,
                    b"zstd" => Coding::Zstd,
                    _ => return Err(unknown(&format!("Content-Encoding {value:?}"))),
                };
                if coding != Coding::Plain {
                    return Err(unknown("more than one Content-Encoding"));
                }
                coding = next;
            }
        }
        Ok(coding)
    }

    pub(crate) fn name(self) -> &'static str {
        match self {
            Coding::Plain => "plain",
            Coding::Gzip => "gzip",
            Coding::Brotli => "br",
            Coding::Zstd => "zstd",
        }
    }
}

fn unknown(what: &str) -> Failure {
    Failure::new(
        Kind::Decode,
        format!("the server sent {what}, and only gzip, br and zstd are understood"),
    )
}

/// A body that reads as plain bytes.
pub(crate) enum Decoder<R> {
    Plain(R),
    Gzip(Box<GzipDecoder<R>>),
    Brotli(Box<BrotliDecoder<R>>),
    Zstd(Box<ZstdDecoder<R>>),
}

impl<R: AsyncBufRead + Unpin> Decoder<R> {
    /// Undoes `coding` on what `body` holds. An empty body stays empty: there is nothing to undo.
    ///
    /// # Errors
    ///
    /// Those of `body`'s first read.
    pub(crate) async fn new(coding: Coding, mut body: R) -> io::Result<Decoder<R>> {
        if coding != Coding::Plain
            && poll_fn(|cx| {
                Pin::new(&mut body)
                    .poll_fill_buf(cx)
                    .map_ok(<[u8]>::is_empty)
            })
            .await?
        {
            return Ok(Decoder::Plain(body));
        }
        Ok(match coding {
            Coding::Plain => Decoder::Plain(body),
            Coding::Gzip => {
                let mut decoder = GzipDecoder::new(body);
                // RFC 1952: a gzip file may be several, one after the other.
                decoder.multiple_members(true);
                Decoder::Gzip(Box::new(decoder))
            }
            Coding::Brotli => Decoder::Brotli(Box::new(BrotliDecoder::new(body))),
            Coding::Zstd => {
                let window = [DParameter::window_log_max(ZSTD_WINDOW_LOG)];
                let mut decoder = ZstdDecoder::with_params(body, &window);
                decoder.multiple_members(true);
                Decoder::Zstd(Box::new(decoder))
            }
        })
    }

    /// The body, with whatever the decoder did not need of it.
    pub(crate) fn into_inner(self) -> R {
        match self {
            Decoder::Plain(body) => body,
            Decoder::Gzip(decoder) => decoder.into_inner(),
            Decoder::Brotli(decoder) => decoder.into_inner(),
            Decoder::Zstd(decoder) => decoder.into_inner(),
        }
    }

    pub(crate) fn get_ref(&self) -> &R {
        match self {
            Decoder::Plain(body) => body,
            Decoder::Gzip(decoder) => decoder.get_ref(),
            Decoder::Brotli(decoder) => decoder.get_ref(),
            Decoder::Zstd(decoder) => decoder.get_ref(),
        }
    }

    /// Reads some plain bytes, 0 at the end.
    ///
    /// # Errors
    ///
    /// Those of the body, passed on, and the decoder's own when the data are broken.
    pub(crate) async fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        poll_fn(|cx| match self {
            Decoder::Plain(body) => Pin::new(body).poll_read(cx, into),
            Decoder::Gzip(decoder) => Pin::new(decoder).poll_read(cx, into),
            Decoder::Brotli(decoder) => Pin::new(decoder).poll_read(cx, into),
            Decoder::Zstd(decoder) => Pin::new(decoder).poll_read(cx, into),
        })
        .await
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_the_codings_that_were_asked_for_and_no_others() {
        for (value, coding) in [
            ("gzip", Some(Coding::Gzip)),
            ("X-GZIP", Some(Coding::Gzip)),
            (" br ", Some(Coding::Brotli)),
            ("zstd", Some(Coding::Zstd)),
            ("identity", Some(Coding::Plain)),
            ("", Some(Coding::Plain)),
            ("identity, gzip", Some(Coding::Gzip)),
            ("gzip, br", None),
            ("gzip, gzip", None),
            ("compress", None),
            ("gzipx", None),
        ] {
            let mut headers = HeaderMap::new();
            headers.insert(header::CONTENT_ENCODING, value.parse().unwrap());
            assert_eq!(Coding::of(&headers).ok(), coding, "{value:?}");
        }
        assert_eq!(Coding::of(&HeaderMap::new()).ok(), Some(Coding::Plain));
    }
}
