//! What programs read from a command line and from headers: URLs, names, dates.
//!
//! - A URL that a parser of another hand takes, and that is as plain as can be, the load
//!   tester takes too, and both find the same host, port and path in it.
//! - The fetcher's file names differ from each other, also where a disk does not tell upper
//!   from lower case; each is one name, in the directory where it is put, and not hidden.
//! - The name and password of a URL come out of its header as they went in.
//! - A date in `Retry-After` is the day that is found by counting days.
//!
//! All of it is private to programs, and pure: the files are compiled here once more.

#![no_main]

use std::collections::HashSet;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use arbitrary::Arbitrary;
use http::{HeaderMap, header};
use libfuzzer_sys::fuzz_target;
use target::{Place, Speaks, Target};
use url::Url;

#[path = "../../../examples/fetch/auth.rs"]
mod auth;
#[path = "../../../examples/fetch/names.rs"]
mod names;
#[path = "../../../examples/fetch/retry.rs"]
#[allow(dead_code, reason = "pauses are left to chance")]
mod retry;
#[path = "../../../benches/src/bin/load/target.rs"]
#[allow(dead_code, reason = "nothing is looked up")]
mod target;

#[derive(Arbitrary, Debug)]
enum Input {
    Target(Vec<Word>),
    Names(Vec<Word>, Vec<Edit>),
    Login(String, Option<String>),
    Date(u32, u32),
    Header(String, u64),
}

/// How one URL differs from another.
#[derive(Arbitrary, Debug)]
enum Edit {
    Same,
    Upper,
    More(Word),
    Other(Vec<Word>),
}

#[derive(Arbitrary, Debug)]
enum Word {
    Part(u8),
    Text(String),
    Long(char, u8),
}

const PARTS: [&str; 24] = [
    "/",
    "?",
    "#",
    ":",
    "@",
    ".",
    "..",
    "%2e",
    "%2F",
    "%00",
    "%",
    "80",
    "8080",
    "65536",
    "[::1]",
    "localhost",
    "a",
    "A",
    "a.b",
    "index.html",
    "-2",
    "_",
    "~",
    "é",
];

fn text(words: &[Word]) -> String {
    let mut text = String::new();
    for word in words {
        match word {
            Word::Part(which) => text.push_str(PARTS[usize::from(*which) % PARTS.len()]),
            Word::Text(more) => text.push_str(more),
            Word::Long(char, times) => text.extend((0..*times).map(|_| *char)),
        }
    }
    text
}

/// Whether no parser has a reason to write it in another way.
fn is_plain(rest: &str) -> bool {
    let plain = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || "/?#:-_=".contains(c);
    rest.chars().all(plain) && rest.starts_with(|c: char| c.is_ascii_lowercase())
}

fn same_target(rest: &str) {
    let text = format!("http://{rest}");
    let ours: Result<Target, String> = text.parse();
    if let Ok(target) = &ours {
        let again = target.to_string().parse();
        assert_eq!(again.as_ref(), Ok(target), "as it is printed: {target}");
    }
    let Ok(url) = Url::parse(&text) else { return };
    if !is_plain(rest) || rest.contains("::") || rest.contains(":/") || url.port() == Some(0) {
        return;
    }
    let Ok(target) = ours else {
        // A port that is left out after its colon is not wanted.
        let authority = rest.split(['/', '?', '#']).next().unwrap_or(rest);
        return assert!(authority.ends_with(':'), "it is a URL: {text}");
    };
    let port = url.port_or_known_default().expect("it is http");
    let Place::Tcp(place) = &target.place else {
        panic!("not TCP: {text}")
    };
    let (host, number) = place.rsplit_once(':').expect("a port");
    assert_eq!(
        (Some(host), number.parse()),
        (url.host_str(), Ok(port)),
        "{text}"
    );
    let Speaks::Http { path, .. } = &target.speaks else {
        panic!("not HTTP: {text}")
    };
    let query = url.query().map(|query| format!("?{query}"));
    assert_eq!(
        *path,
        format!("{}{}", url.path(), query.unwrap_or_default()),
        "{text}"
    );
}

fn edited(text: &str, edit: &Edit) -> String {
    match edit {
        Edit::Same => text.to_owned(),
        Edit::Upper => text.to_uppercase(),
        Edit::More(word) => text.to_owned() + &self::text(std::slice::from_ref(word)),
        Edit::Other(words) => self::text(words),
    }
}

fn safe_names(first: &str, edits: &[Edit]) {
    let (mut names, mut given) = (names::Names::default(), HashSet::new());
    for text in edits.iter().map(|edit| edited(first, edit)) {
        let Ok(url) = Url::parse(&format!("http://{text}")) else {
            continue;
        };
        let name = names.assign(&url);
        assert!(given.insert(name.to_lowercase()), "{name} twice");
        assert!(!name.is_empty() && name.len() <= 255, "{name}");
        assert!(!name.starts_with('.'), "{name}");
        assert!(
            !name.contains(|c: char| c == '/' || c == '\\' || c.is_control()),
            "{name}"
        );
    }
}

fn same_login(user: &str, password: Option<&str>) {
    let mut url = Url::parse("http://host/").expect("a URL");
    // A `%` in what is set would be taken for an escape.
    if user.contains('%') || password.is_some_and(|it| it.contains('%')) {
        return;
    }
    url.set_username(user).expect("it has a host");
    url.set_password(password).expect("it has a host");
    let mut headers = HeaderMap::new();
    auth::from_url(&mut url, &mut headers);
    assert_eq!(url.as_str(), "http://host/");
    let password = password.unwrap_or_default();
    let Some(value) = headers.get(header::AUTHORIZATION) else {
        return assert!(user.is_empty() && password.is_empty());
    };
    let value = value.to_str().expect("Base64 is text");
    let code = value.strip_prefix("Basic ").expect("the scheme");
    assert_eq!(decode(code), format!("{user}:{password}").as_bytes());
}

/// Base64, bit by bit.
fn decode(code: &str) -> Vec<u8> {
    assert_eq!(code.len() % 4, 0);
    let digits = code.trim_end_matches('=');
    let mut bits = Vec::new();
    for digit in digits.bytes() {
        let value = match digit {
            b'A'..=b'Z' => digit - b'A',
            b'a'..=b'z' => digit - b'a' + 26,
            b'0'..=b'9' => digit - b'0' + 52,
            b'+' => 62,
            _ => 63,
        };
        bits.extend((0..6).rev().map(|bit| value >> bit & 1));
    }
    let bytes = bits.chunks_exact(8);
    bytes
        .map(|byte| byte.iter().fold(0, |sum, bit| sum << 1 | bit))
        .collect()
}

/// The day, month and year that is so many days after the beginning of 1970.
fn date(mut days: u32) -> (u32, usize, u32) {
    let leaps = |year: u32| {
        year.is_multiple_of(4) && (!year.is_multiple_of(100) || year.is_multiple_of(400))
    };
    let mut year = 1970;
    while days >= 365 + u32::from(leaps(year)) {
        days -= 365 + u32::from(leaps(year));
        year += 1;
    }
    let february = 28 + u32::from(leaps(year));
    let mut month = 0;
    for length in [31, february, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31] {
        if days < length {
            break;
        }
        days -= length;
        month += 1;
    }
    (days + 1, month, year)
}

fn same_date(days: u32, second: u32) {
    const MONTHS: [&str; 12] = [
        "Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec",
    ];
    let (days, second) = (days % 2_932_896, second % 86_400);
    let (day, month, year) = date(days);
    let (hour, minute) = (second / 3_600, second / 60 % 60);
    let text = format!(
        "Sun, {day:02} {} {year} {hour:02}:{minute:02}:{:02} GMT",
        MONTHS[month],
        second % 60
    );
    let seconds = u64::from(days) * 86_400 + u64::from(second);
    assert_eq!(
        retry::retry_after(&text, UNIX_EPOCH),
        Some(Duration::from_secs(seconds)),
        "{text}"
    );
}

fuzz_target!(|input: Input| match input {
    Input::Target(words) => same_target(&text(&words)),
    Input::Names(words, edits) => safe_names(&text(&words), &edits),
    Input::Login(user, password) => same_login(&user, password.as_deref()),
    Input::Date(days, second) => same_date(days, second),
    Input::Header(value, now) => {
        let now = UNIX_EPOCH.checked_add(Duration::from_secs(now));
        let _ = retry::retry_after(&value, now.unwrap_or(SystemTime::UNIX_EPOCH));
    }
});
