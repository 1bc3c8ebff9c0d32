//! The command line: what may be asked for, and what it means in bytes and seconds.
//!
//! A wrong argument ends the program with code 2 before the first request, with a line that says
//! which and why. `plan` turns the arguments into what the client works with.

use std::{
    collections::HashSet,
    fs,
    io::{self, Read},
    num::NonZeroU16,
    path::{Path, PathBuf},
    time::Duration,
};

use clap::Parser;
use http::{HeaderMap, HeaderName, HeaderValue, header};
use url::Url;

/// Bytes of URLs that are taken.
const INPUT_MAX: u64 = 16 << 20;

use super::{
    client::{Job, Options},
    connect::read_roots,
    names::Names,
};

/// Fetches many URLs at once over HTTP/1.1 and HTTPS.
#[derive(Debug, Parser)]
#[command(
    name = "fetch",
    after_help = "Examples:
  fetch https://example.org https://www.rust-lang.org
  fetch --sequential --concurrency 32 --input urls.txt
  fetch --output pages --max-size 10M --json https://example.org > report.json

The report goes to stdout, progress and errors to stderr.
Exit code: 0 all fetched, 1 some failed, 2 wrong arguments, 130 interrupted."
)]
pub(crate) struct Args {
    /// What to fetch, http or https.
    #[arg(value_name = "URL")]
    urls: Vec<String>,
    /// Read more URLs from FILE, one a line ("-" is stdin; empty lines and # comments are skipped).
    #[arg(long, value_name = "FILE")]
    input: Option<PathBuf>,
    /// Save each body in DIR, under a name made from its URL; without it, bodies are counted and dropped.
    #[arg(long, value_name = "DIR")]
    output: Option<PathBuf>,
    /// How many URLs are fetched at the same time.
    #[arg(long, value_name = "N", default_value = "16", value_parser = count)]
    concurrency: NonZeroU16,
    /// First fetch one by one, then concurrently, and print how much faster that was.
    #[arg(long)]
    pub(crate) sequential: bool,
    /// Longest time of one attempt, redirects and body included ("10", "2.5s", "500ms").
    #[arg(long, value_name = "TIME", default_value = "30s", value_parser = duration)]
    timeout: Duration,
    /// More attempts after a failure that may pass (connection, timeout, 408, 429, 5xx).
    #[arg(long, value_name = "N", default_value = "2")]
    retries: u32,
    /// Largest body, both on the wire and decompressed ("500k", "10M", "2G").
    #[arg(long, value_name = "BYTES", default_value = "256M", value_parser = size)]
    max_size: u64,
    /// How many redirects are followed.
    #[arg(long, value_name = "N", default_value = "10")]
    max_redirects: u32,
    /// Follow redirects from https to http.
    #[arg(long)]
    allow_downgrade: bool,
    /// Trust the CA certificates in this PEM file, instead of the system's.
    #[arg(long, value_name = "FILE")]
    cacert: Option<PathBuf>,
    /// Send this header ("Name: value"; repeatable). A redirect to another origin drops it, unless it is Accept-*.
    #[arg(long = "header", value_name = "HEADER", value_parser = header_line)]
    headers: Vec<(HeaderName, HeaderValue)>,
    /// What the client calls itself.
    #[arg(long, value_name = "TEXT", default_value = concat!("wakeline-fetch/", env!("CARGO_PKG_VERSION")))]
    user_agent: HeaderValue,
    /// How the runtime waits for the kernel: auto, uring or epoll.
    #[arg(long, value_name = "DRIVER", default_value = "auto")]
    pub(crate) driver: wakeline::Driver,
    /// Threads that run tasks.
    #[arg(long, value_name = "N", default_value = "1", value_parser = count)]
    pub(crate) workers: NonZeroU16,
    /// Print the report as one JSON document.
    #[arg(long)]
    pub(crate) json: bool,
}

/// What is to be done, checked.
pub(crate) struct Plan {
    pub(crate) jobs: Vec<Job>,
    pub(crate) concurrency: usize,
    pub(crate) options: Options,
}

impl Args {
    /// Reads the input file, checks everything that can be checked, and creates the output directory.
    ///
    /// # Errors
    ///
    /// One line for the user, who gave a wrong argument.
    pub(crate) fn plan(&self) -> Result<Plan, String> {
        let mut urls = Vec::new();
        for text in &self.urls {
            urls.push(parse_url(text)?);
        }
        if let Some(file) = &self.input {
            let text = read_input(file)
                .map_err(|error| format!("cannot read --input {}: {error}", file.display()))?;
            for (number, line) in text
                .lines()
                .map(str::trim)
                .enumerate()
                .filter(|(_, line)| !line.is_empty() && !line.starts_with('#'))
            {
                urls.push(parse_url(line).map_err(|error| {
                    format!("{}, line {}: {error}", file.display(), number + 1)
                })?);
            }
        }
        if urls.is_empty() {
            return Err("no URL to fetch - name one, or a file of them with --input".into());
        }
        if let Some(file) = &self.cacert {
            read_roots(file).map_err(|failure| format!("--cacert: {failure}"))?;
        }
        if let Some(directory) = &self.output {
            fs::create_dir_all(directory).map_err(|error| {
                format!("cannot create --output {}: {error}", directory.display())
            })?;
        }
        let mut names = Names::default();
        let jobs = urls
            .into_iter()
            .map(|url| Job {
                file: self
                    .output
                    .as_ref()
                    .map(|directory| directory.join(names.assign(&url))),
                url,
            })
            .collect();
        let options = Options {
            timeout: self.timeout,
            retries: self.retries,
            max_redirects: self.max_redirects,
            allow_downgrade: self.allow_downgrade,
            max_size: self.max_size,
            headers: self.header_map()?,
            cacert: self.cacert.clone(),
        };
        Ok(Plan {
            jobs,
            concurrency: self.concurrency.get().into(),
            options,
        })
    }

    fn header_map(&self) -> Result<HeaderMap, String> {
        // These decide where a message ends or whose it is: a second opinion would break it.
        let own = [
            header::CONTENT_LENGTH,
            header::TRANSFER_ENCODING,
            header::CONNECTION,
            header::UPGRADE,
            header::TE,
            header::EXPECT,
            header::TRAILER,
        ];
        let own: HashSet<HeaderName> = own.into();
        let mut map = HeaderMap::new();
        map.insert(header::USER_AGENT, self.user_agent.clone());
        for (name, value) in &self.headers {
            if own.contains(name) {
                return Err(format!("--header {name}: fetch sets this one itself"));
            }
            if name == header::USER_AGENT || name == header::HOST {
                map.insert(name, value.clone());
            } else {
                map.append(name, value.clone());
            }
        }
        Ok(map)
    }
}

fn read_input(file: &Path) -> io::Result<String> {
    let mut text = String::new();
    let most = INPUT_MAX + 1;
    if file == Path::new("-") {
        io::stdin().take(most).read_to_string(&mut text)?;
    } else {
        fs::File::open(file)?.take(most).read_to_string(&mut text)?;
    }
    if text.len() as u64 > INPUT_MAX {
        let why = format!("it has more than {INPUT_MAX} bytes: fetch it in parts");
        return Err(io::Error::new(io::ErrorKind::FileTooLarge, why));
    }
    Ok(text)
}

fn parse_url(text: &str) -> Result<Url, String> {
    let url = match Url::parse(text) {
        Ok(url) => url,
        Err(url::ParseError::RelativeUrlWithoutBase) => {
            return Err(format!("{text:?} has no scheme - try https://{text}"));
        }
        Err(error) => return Err(format!("{text:?} is no URL: {error}")),
    };
    match url.scheme() {
        "http" | "https" if url.port() != Some(0) => Ok(url),
        "http" | "https" => Err(format!("{text:?}: port 0 cannot be connected to")),
        scheme => Err(format!(
            "{text:?}: {scheme} is not supported, only http and https are"
        )),
    }
}

/// A number of URLs or threads.
fn count(text: &str) -> Result<NonZeroU16, String> {
    text.parse()
        .map_err(|_| "a whole number from 1 to 65535".to_owned())
}

fn duration(text: &str) -> Result<Duration, String> {
    let (number, unit) = match text.strip_suffix("ms") {
        Some(number) => (number, 1e-3),
        None => (text.strip_suffix('s').unwrap_or(text), 1.0),
    };
    let wrong = "not a time from 0 to 10^19 seconds; try 30, 2.5s or 500ms";
    let seconds = number.parse::<f64>().map_err(|_| wrong)? * unit;
    let duration = Duration::try_from_secs_f64(seconds).map_err(|_| wrong)?;
    if duration.is_zero() {
        Err("must be more than zero".into())
    } else {
        Ok(duration)
    }
}

fn size(text: &str) -> Result<u64, String> {
    let (number, unit) = match text.as_bytes().last() {
        Some(b'k' | b'K') => (&text[..text.len() - 1], 1 << 10),
        Some(b'm' | b'M') => (&text[..text.len() - 1], 1 << 20),
        Some(b'g' | b'G') => (&text[..text.len() - 1], 1 << 30),
        _ => (text, 1_u64),
    };
    let number: u64 = number
        .parse()
        .map_err(|_| "not a size; try 500k, 10M or 2G")?;
    number.checked_mul(unit).ok_or_else(|| "too large".into())
}

fn header_line(text: &str) -> Result<(HeaderName, HeaderValue), String> {
    let (name, value) = text
        .split_once(':')
        .ok_or("no colon; write \"Name: value\"")?;
    let name = name.trim().parse().map_err(|_| "the name is not valid")?;
    let value = HeaderValue::from_str(value.trim())
        .map_err(|_| "the value has characters that a header cannot")?;
    Ok((name, value))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_command_line_is_sound() {
        use clap::CommandFactory;
        Args::command().debug_assert();
    }

    #[test]
    fn times_and_sizes_have_units() {
        for (text, ms) in [
            ("1", Some(1_000)),
            ("2.5s", Some(2_500)),
            ("500ms", Some(500)),
            ("0", None),
            ("-1", None),
            ("NaN", None),
            ("1e30", None),
            ("x", None),
            ("", None),
        ] {
            assert_eq!(
                duration(text).ok().map(|time| time.as_millis()),
                ms,
                "{text:?}"
            );
        }
        for (text, bytes) in [
            ("7", Some(7)),
            ("1k", Some(1_024)),
            ("2M", Some(2 << 20)),
            ("3G", Some(3 << 30)),
            ("", None),
            ("M", None),
            ("-1", None),
            ("99999999999G", None),
        ] {
            assert_eq!(size(text).ok(), bytes, "{text:?}");
        }
    }

    #[test]
    fn a_wrong_url_says_what_to_try() {
        for (text, reason) in [
            ("example.org", "try https://example.org"),
            ("ftp://h/", "ftp is not supported"),
            ("http://", "is no URL"),
            ("http://h:99999/", "is no URL"),
            ("http://h:0/", "port 0"),
        ] {
            let error = parse_url(text).unwrap_err();
            assert!(error.contains(reason), "{text:?}: {error}");
        }
    }
}
