//! The name and password in a URL, as the header that they stand for.
//!
//! `http://user:a%40b@host/` means the user `user` with the password `a@b`: what a URL cannot hold is
//! escaped in it, and a header has it as it is (RFC 7617).

use http::{HeaderMap, HeaderValue, header};
use url::Url;

use super::names::decode_percent;

/// Takes name and password out of `url`, into `headers` unless these say already who asks.
pub(crate) fn from_url(url: &mut Url, headers: &mut HeaderMap) {
    if url.username().is_empty() && url.password().is_none() {
        return;
    }
    let mut plain = decode_percent(url.username());
    plain.push(b':');
    plain.extend(decode_percent(url.password().unwrap_or_default()));
    // It has a host, or it would not have got this far, so these cannot fail.
    let _ = url.set_username("");
    let _ = url.set_password(None);
    // Base64 has nothing that a header has not.
    if let Ok(mut value) = HeaderValue::try_from(format!("Basic {}", base64(&plain))) {
        value.set_sensitive(true);
        headers.entry(header::AUTHORIZATION).or_insert(value);
    }
}

fn base64(bytes: &[u8]) -> String {
    const DIGITS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut text = String::with_capacity(bytes.len().div_ceil(3) * 4);
    for part in bytes.chunks(3) {
        let mut three = [0; 4];
        three[1..=part.len()].copy_from_slice(part);
        let bits = u32::from_be_bytes(three);
        for digit in 0..4 {
            if digit > part.len() {
                text.push('=');
            } else {
                text.push(char::from(DIGITS[(bits >> (18 - 6 * digit)) as usize & 63]));
            }
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_header_has_what_the_escapes_stand_for() {
        for (url, value) in [
            ("http://h/", None),
            ("http://@h/", None),
            ("http://user:a=b%40c@h/", Some("Basic dXNlcjphPWJAYw==")),
            ("http://us%20er@h/", Some("Basic dXMgZXI6")),
            ("http://:p@h/", Some("Basic OnA=")),
            ("http://ab:c@h/", Some("Basic YWI6Yw==")),
            ("http://%C3%A9:ü@h/", Some("Basic w6k6w7w=")),
            ("http://%fb:%ff@h/", Some("Basic +zr/")),
        ] {
            let (mut parsed, mut headers) = (Url::parse(url).unwrap(), HeaderMap::new());
            from_url(&mut parsed, &mut headers);
            assert_eq!(parsed.as_str(), "http://h/", "{url}");
            let found = headers.get(header::AUTHORIZATION);
            assert_eq!(found.map(|value| value.to_str().unwrap()), value, "{url}");
        }
    }

    #[test]
    fn a_header_that_is_there_stays() {
        let mut url = Url::parse("http://user:p@h/").unwrap();
        let mut headers = HeaderMap::new();
        headers.insert(header::AUTHORIZATION, HeaderValue::from_static("Bearer x"));
        from_url(&mut url, &mut headers);
        assert_eq!(headers[header::AUTHORIZATION], "Bearer x");
    }
}
