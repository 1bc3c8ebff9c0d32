//! What a response may be: the sizes this program stores, and the gate every head passes.
//!
//! The HTTP state machine (ureq-proto) is generous: it takes `Content-Length: 4, 4`, lets
//! `Transfer-Encoding` override a length, and finds `chunked` anywhere in a list. Each of these is
//! a response that two readers may cut at different places, and on a kept-alive connection the
//! rest would be read as the answer to the next request. So the gate stands before it:
//!
//! 1. at most one `Content-Length`, of digits only;
//! 2. `Transfer-Encoding` is exactly `chunked`, once, on HTTP/1.1, and without a length;
//! 3. no `101`: this program never asked to switch protocols.

use http::{HeaderMap, Response, StatusCode, Version, header};

use super::error::{Failure, Kind};

/// Bytes read from a socket and not yet understood: a whole head must fit.
pub(crate) const BUFFER_BYTES: usize = 64 * 1024;
/// Bytes of one response's heads, the informational ones (1xx) included.
pub(crate) const HEAD_BYTES: usize = 64 * 1024;
/// Bytes of the trailer section after the last chunk.
pub(crate) const TRAILER_BYTES: u64 = 64 * 1024;
/// A body nobody wants (of a redirect or an error page) is read up to here to keep the connection.
pub(crate) const DISCARD_BYTES: u64 = 64 * 1024;
/// The largest zstd window, as a power of two: 8 MiB, what RFC 9659 lets a server use.
pub(crate) const ZSTD_WINDOW_LOG: u32 = 23;

/// Refuses a head whose body could be cut in two ways.
///
/// # Errors
///
/// `Kind::Protocol` says which rule it broke.
pub(crate) fn check_head(head: &Response<()>) -> Result<(), Failure> {
    if head.status() == StatusCode::SWITCHING_PROTOCOLS {
        return Err(broken("switched protocols (101) though nobody asked"));
    }
    let length = content_length(head.headers())?;
    let mut codings = head.headers().get_all(header::TRANSFER_ENCODING).iter();
    let Some(coding) = codings.next() else {
        return Ok(());
    };
    if codings.next().is_some() || !coding.as_bytes().eq_ignore_ascii_case(b"chunked") {
        return Err(broken(&format!(
            "sent Transfer-Encoding {coding:?}, and only a single \"chunked\" is understood"
        )));
    }
    if length.is_some() {
        return Err(broken(
            "sent both Content-Length and Transfer-Encoding, so the body's end is ambiguous",
        ));
    }
    if head.version() != Version::HTTP_11 {
        return Err(broken("sent Transfer-Encoding in an HTTP/1.0 response"));
    }
    Ok(())
}

/// The one `Content-Length`, if there is one.
///
/// # Errors
///
/// `Kind::Protocol`: there are several, or it is not a number of bytes.
pub(crate) fn content_length(headers: &HeaderMap) -> Result<Option<u64>, Failure> {
    let mut values = headers.get_all(header::CONTENT_LENGTH).iter();
    let Some(value) = values.next() else {
        return Ok(None);
    };
    if values.next().is_some() {
        return Err(broken("sent more than one Content-Length"));
    }
    let digits = value.as_bytes();
    // `u64::from_str` would take a plus sign.
    let number = (!digits.is_empty() && digits.iter().all(u8::is_ascii_digit))
        .then(|| std::str::from_utf8(digits).ok()?.parse().ok())
        .flatten();
    match number {
        Some(number) => Ok(Some(number)),
        None => Err(broken(&format!(
            "sent Content-Length {value:?}, which is not a number of bytes"
        ))),
    }
}

fn broken(what: &str) -> Failure {
    Failure::new(Kind::Protocol, format!("the server {what}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Parses `head` as the exchange does, then asks the gate.
    fn verdict(head: &str) -> Result<(), String> {
        let (_, head) = ureq_proto::parser::try_parse_response::<16>(head.as_bytes())
            .unwrap()
            .unwrap();
        check_head(&head).map_err(|failure| failure.message)
    }

    #[test]
    fn takes_every_head_with_one_reading() {
        for head in [
            "HTTP/1.1 200 OK\r\n\r\n",
            "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n",
            "HTTP/1.1 200 OK\r\ncontent-length: 18446744073709551615\r\n\r\n",
            "HTTP/1.0 200 OK\r\nContent-Length: 5\r\n\r\n",
            "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n",
            "HTTP/1.1 200 OK\r\nTransfer-Encoding: Chunked \r\n\r\n",
        ] {
            assert_eq!(verdict(head), Ok(()), "{head:?}");
        }
    }

    #[test]
    fn refuses_every_head_with_two_readings() {
        // (headers, a part of the reason)
        for (headers, reason) in [
            ("Content-Length: 4\r\nContent-Length: 4", "more than one"),
            ("Content-Length: 4, 4", "not a number"),
            ("Content-Length: +4", "not a number"),
            ("Content-Length: -1", "not a number"),
            ("Content-Length: 0x10", "not a number"),
            ("Content-Length:", "not a number"),
            ("Content-Length: 18446744073709551616", "not a number"),
            ("Transfer-Encoding: xchunked", "only a single"),
            ("Transfer-Encoding: gzip, chunked", "only a single"),
            ("Transfer-Encoding: chunked, identity", "only a single"),
            (
                "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked",
                "only a single",
            ),
            ("Transfer-Encoding: identity", "only a single"),
            (
                "Transfer-Encoding: chunked\r\nContent-Length: 4",
                "ambiguous",
            ),
        ] {
            let found = verdict(&format!("HTTP/1.1 200 OK\r\n{headers}\r\n\r\n")).unwrap_err();
            assert!(found.contains(reason), "{headers:?}: {found}");
        }
        assert!(
            verdict("HTTP/1.0 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
                .unwrap_err()
                .contains("HTTP/1.0")
        );
        assert!(
            verdict("HTTP/1.1 101 Switching\r\n\r\n")
                .unwrap_err()
                .contains("101")
        );
    }
}
