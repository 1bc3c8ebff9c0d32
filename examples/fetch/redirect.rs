//! Where a redirect may lead, and what goes along.
//!
//! Followed: http and https, up to `--max-redirects` times. Not followed: from https to http
//! (unless `--allow-downgrade`), since whoever reads the network would then read the rest; and
//! any other scheme, since a server must not make this program open a local file.
//!
//! To another origin (scheme, host or port differ) only what describes the client goes along. A
//! `--header` may carry a secret under any name, a cookie, a token, an API key, so it stays.

use http::{HeaderMap, HeaderName, header};
use url::Url;

use super::{
    client::{Options, shown},
    error::{Failure, Kind},
};

/// The URL that `location` names as seen from `url`, after `followed` redirects.
///
/// # Errors
///
/// `Kind::Redirect`: it is no URL, must not be followed, or is one too many.
pub(crate) fn follow(
    url: &Url,
    location: &[u8],
    followed: u32,
    options: &Options,
) -> Result<Url, Failure> {
    let text = str::from_utf8(location).ok();
    let Some(next) = text.and_then(|text| url.join(text).ok()) else {
        let text = String::from_utf8_lossy(location);
        return Err(refused(format!("the redirect to {text:?} is no URL")));
    };
    if followed >= options.max_redirects {
        let most = options.max_redirects;
        let failure = refused(format!(
            "more than {most} redirects, the next to {}",
            shown(&next)
        ));
        return Err(failure.advise("it may be a loop, or raise --max-redirects"));
    }
    match (url.scheme(), next.scheme()) {
        ("https", "http") if !options.allow_downgrade => {
            let failure = refused(format!(
                "the redirect to {} leaves https for http",
                shown(&next)
            ));
            Err(failure.advise("if that is meant, add --allow-downgrade"))
        }
        (_, "http" | "https") => Ok(next),
        (_, scheme) => Err(refused(format!(
            "the redirect leads to {scheme}, and only http and https are followed"
        ))),
    }
}

/// Leaves in `headers` what another origin may see.
pub(crate) fn strip_secrets(headers: &mut HeaderMap) {
    let may_go =
        |name: &HeaderName| *name == header::USER_AGENT || name.as_str().starts_with("accept");
    let secret: Vec<HeaderName> = headers
        .keys()
        .filter(|name| !may_go(name))
        .cloned()
        .collect();
    for name in secret {
        headers.remove(name);
    }
}

fn refused(message: String) -> Failure {
    Failure::new(Kind::Redirect, message)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    fn options(allow_downgrade: bool) -> Options {
        Options {
            timeout: Duration::from_secs(1),
            retries: 0,
            max_redirects: 2,
            allow_downgrade,
            max_size: 0,
            headers: HeaderMap::new(),
            cacert: None,
        }
    }

    #[test]
    fn a_location_is_read_as_seen_from_the_url() {
        // (from, location, to, or a part of the reason)
        for (from, location, to) in [
            ("http://h/a/b?q", "c", Ok("http://h/a/c")),
            ("http://h/a/b?q", "../c?x#y", Ok("http://h/c?x#y")),
            ("http://h/a/b", "../../../c", Ok("http://h/c")),
            ("http://h/a/b", "?x", Ok("http://h/a/b?x")),
            ("http://h/a", "//g/c", Ok("http://g/c")),
            ("https://h/a", "//g/c", Ok("https://g/c")),
            ("http://h/a", "https://g:1/", Ok("https://g:1/")),
            ("http://u:p@h/a", "/c", Ok("http://u:p@h/c")),
            ("http://u:p@h/a", "http://g/c", Ok("http://g/c")),
            ("https://h/a", "http://h/a", Err("leaves https")),
            ("http://h/a", "file:///etc/passwd", Err("leads to file")),
            ("http://h/a", "data:,x", Err("leads to data")),
            ("http://h/a", "http://", Err("is no URL")),
        ] {
            let found = follow(
                &Url::parse(from).unwrap(),
                location.as_bytes(),
                0,
                &options(false),
            );
            match (found, to) {
                (Ok(found), Ok(to)) => assert_eq!(found.as_str(), to, "{from} {location}"),
                (Err(failure), Err(part)) => assert!(failure.message.contains(part), "{failure}"),
                (found, _) => panic!("{from} {location}: {found:?}"),
            }
        }
    }

    #[test]
    fn permission_and_number_are_the_users() {
        let (url, next) = (Url::parse("https://h/").unwrap(), b"http://h/");
        assert!(follow(&url, next, 1, &options(true)).is_ok());
        let failure = follow(&url, next, 2, &options(true)).unwrap_err();
        assert!(
            failure.message.contains("more than 2 redirects"),
            "{failure}"
        );
    }

    #[test]
    fn only_what_describes_the_client_goes_to_another_origin() {
        let mut headers = HeaderMap::new();
        for name in [
            "authorization",
            "cookie",
            "x-api-key",
            "host",
            "accept",
            "accept-language",
            "user-agent",
        ] {
            headers.insert(name, "x".parse().unwrap());
        }
        strip_secrets(&mut headers);
        let mut left: Vec<&str> = headers.keys().map(HeaderName::as_str).collect();
        left.sort();
        assert_eq!(left, ["accept", "accept-language", "user-agent"]);
    }
}
