//! File names from URLs: readable, one for each URL, and never a path.
//!
//! `https://example.org:8443/a/b.txt?x=1` becomes `example.org_8443_a_b.txt_x_1`. Letters, digits
//! and `. - _` stay, all else becomes `_`, so no separator, no `..`, no control character and no
//! leading dot is left. That is not reversible, so `Names` hands out each name once and numbers the
//! rest; it compares without case, since a disk may. It works in the order of the command line, so
//! that the same list gives the same names again.

use std::collections::HashSet;

use url::Url;

/// Longest name in bytes: file systems take 255, and room is left for a number.
const LONGEST: usize = 200;

/// The names given out so far.
#[derive(Default)]
pub(crate) struct Names {
    taken: HashSet<String>,
}

impl Names {
    /// A name for `url` that this `Names` has not given out before.
    pub(crate) fn assign(&mut self, url: &Url) -> String {
        let name = from_url(url);
        let (stem, extension) = split_extension(&name);
        let mut candidate = name.clone();
        let mut number = 2_u64;
        while !self.taken.insert(candidate.to_lowercase()) {
            candidate = format!("{stem}-{number}{extension}");
            number += 1;
        }
        candidate
    }
}

/// The name for `url`, safe in any directory, but perhaps that of another URL too.
fn from_url(url: &Url) -> String {
    let mut name = safe(url.host_str().unwrap_or("host"));
    if let Some(port) = url.port() {
        name += &format!("_{port}");
    }
    name += &safe(&readable(url.path()));
    if url.path().ends_with('/') {
        name += "index.html";
    }
    if let Some(query) = url.query() {
        name += "_";
        name += &safe(&readable(query));
    }
    // A leading dot hides the file, and `.` and `..` are directories.
    let name = if name.starts_with('.') {
        format!("_{}", name.trim_start_matches('.'))
    } else {
        name
    };
    if name.len() <= LONGEST {
        name
    } else {
        shorten(&name, url)
    }
}

fn safe(text: &str) -> String {
    text.chars()
        .map(|c| {
            if c.is_alphanumeric() || matches!(c, '.' | '-' | '_') {
                c
            } else {
                '_'
            }
        })
        .collect()
}

/// Without its escapes; what is no UTF-8 then stays as good as it can.
fn readable(text: &str) -> String {
    String::from_utf8_lossy(&decode_percent(text)).into_owned()
}

/// `%41` as `A`; what is no escape stays.
pub(crate) fn decode_percent(text: &str) -> Vec<u8> {
    let bytes = text.as_bytes();
    let mut decoded = Vec::with_capacity(bytes.len());
    let mut at = 0;
    while at < bytes.len() {
        let escape = (bytes[at] == b'%')
            .then(|| text.get(at + 1..at + 3))
            .flatten();
        match escape.filter(|hex| hex.bytes().all(|b| b.is_ascii_hexdigit())) {
            Some(hex) => {
                decoded.push(u8::from_str_radix(hex, 16).unwrap_or(b'_'));
                at += 3;
            }
            None => {
                decoded.push(bytes[at]);
                at += 1;
            }
        }
    }
    decoded
}

/// Keeps the beginning and the extension; a hash of the whole URL stands for the rest.
fn shorten(name: &str, url: &Url) -> String {
    let (stem, extension) = split_extension(name);
    let hash = url
        .as_str()
        .bytes()
        .fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| {
            (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3) // FNV-1a
        });
    let tail = format!("~{hash:016x}{extension}");
    let mut end = LONGEST - tail.len();
    while !stem.is_char_boundary(end) {
        end -= 1;
    }
    format!("{}{tail}", &stem[..end])
}

/// `a.tar` and `.gz`: an extension is short and ASCII, or it is none.
fn split_extension(name: &str) -> (&str, &str) {
    match name.rfind('.') {
        Some(dot) if dot > 0 && name.len() - dot <= 10 && name[dot..].is_ascii() => {
            name.split_at(dot)
        }
        _ => (name, ""),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn name(url: &str) -> String {
        from_url(&Url::parse(url).unwrap())
    }

    #[test]
    fn says_where_it_came_from() {
        for (url, expected) in [
            ("http://example.org/a/b.txt", "example.org_a_b.txt"),
            ("http://example.org", "example.org_index.html"),
            ("http://example.org/a/", "example.org_a_index.html"),
            (
                "https://example.org:8443/a?x=1&y=/etc",
                "example.org_8443_a_x_1_y__etc",
            ),
            ("http://user:secret@example.org/a", "example.org_a"),
            ("http://[::1]:80/x", "___1__x"),
            ("http://example.org/caf%C3%A9", "example.org_café"),
            (
                "http://example.org/%E6%97%A5%E6%9C%AC.html",
                "example.org_日本.html",
            ),
            ("http://example.org/a%zz%4", "example.org_a_zz_4"),
            ("http://con/", "con_index.html"),
        ] {
            assert_eq!(name(url), expected, "{url}");
        }
    }

    #[test]
    fn is_never_a_path_nor_hidden_nor_too_long() {
        let long = format!("http://h/{}", "é".repeat(500));
        for url in [
            "http://h/../../etc/passwd",
            "http://h/%2e%2e/%2e%2e/etc/passwd",
            "http://h/..%2f..%2fetc%2fpasswd",
            "http://h/a%00b%0a%5c%1b[31m",
            "http://h/a:b*c\"d<e>f|g",
            "http://h/%ff%fe",
            "http://h//etc/passwd",
            "http://../x",
            "http://h/?",
            &long,
        ] {
            // The parser refuses some of these hosts: fine too.
            let Ok(url) = Url::parse(url) else { continue };
            let name = from_url(&url);
            assert!(!name.is_empty() && name.len() <= LONGEST, "{url}: {name:?}");
            assert!(!name.starts_with('.'), "{url}: {name:?}");
            assert!(
                !name.contains(['/', '\\', ':', '*', '"', '<', '>', '|', '\0', '\n', '\x1b']),
                "{url}: {name:?}"
            );
            let path = std::path::Path::new(&name);
            assert_eq!(path.components().count(), 1, "{url}: {name:?}");
        }
    }

    #[test]
    fn no_two_urls_get_the_same_name() {
        let mut names = Names::default();
        let mut assign = |url: &str| names.assign(&Url::parse(url).unwrap());
        assert_eq!(assign("http://h/a/b.txt"), "h_a_b.txt");
        assert_eq!(assign("http://h/a/b.txt"), "h_a_b-2.txt");
        assert_eq!(assign("http://h/a_b.txt"), "h_a_b-3.txt");
        assert_eq!(assign("http://h/A_B.txt"), "h_A_B-4.txt");
        // The name that a number would make is taken by a URL that has it by itself.
        assert_eq!(assign("http://h/c-2"), "h_c-2");
        assert_eq!(assign("http://h/c"), "h_c");
        assert_eq!(assign("http://h/c"), "h_c-3");
    }

    #[test]
    fn long_names_differ_where_the_urls_do_and_keep_their_extension() {
        let one = name(&format!("http://h/{}1.html", "x".repeat(300)));
        let two = name(&format!("http://h/{}2.html", "x".repeat(300)));
        assert_ne!(one, two);
        assert!(one.ends_with(".html") && one.len() == LONGEST, "{one}");
    }
}
