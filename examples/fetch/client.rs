//! The fetch of one URL: attempts, redirects, and the body's way to its file.
//!
//! ```text
//!   fetch ─▶ attempt ──▶ exchange on a pooled or new connection ──▶ success ─▶ body ─▶ decoder ─▶ sink
//!     ▲         ▲                                      │  │
//!     │         └───────────── 1 redirect ─────────────┘  │
//!     └─────────────────────── 2 failure ─────────────────┘
//! ```
//! 1 a `Location` is followed up to `--max-redirects` times, never from https to http unasked
//! 2 what may pass is tried again after a pause (`retry.rs`); the rest is the URL's outcome
//!
//! `--timeout` limits one attempt, redirects included, and is a plain `timeout` around its future:
//! when it fires, the future is dropped wherever it stands, its connection is closed with it, and the
//! other fetches notice nothing.

use std::{
    path::PathBuf,
    sync::Arc,
    time::{Duration, Instant, SystemTime},
};

use http::{HeaderMap, HeaderValue, Request, Uri, header};
use url::Url;
use wakeline::time::{sleep, timeout};

use super::{
    auth,
    connect::{Connector, Stream},
    decode::ACCEPTED,
    download::download,
    error::{Failure, Kind},
    exchange::{Reply, exchange},
    limits::DISCARD_BYTES,
    pool::{Origin, Pool},
    progress::Bar,
    redirect,
    report::Outcome,
    retry,
    trace::Trace,
};

/// What holds for every request.
#[derive(Clone, Debug)]
pub(crate) struct Options {
    /// Of one attempt.
    pub(crate) timeout: Duration,
    /// Attempts after the first.
    pub(crate) retries: u32,
    pub(crate) max_redirects: u32,
    pub(crate) allow_downgrade: bool,
    /// Bytes of a body, on the wire and decompressed.
    pub(crate) max_size: u64,
    pub(crate) headers: HeaderMap,
    pub(crate) cacert: Option<PathBuf>,
}

/// One URL to fetch, and the file to put it in.
#[derive(Clone, Debug)]
pub(crate) struct Job {
    pub(crate) url: Url,
    pub(crate) file: Option<PathBuf>,
}

impl Job {
    /// The URL for people to read.
    pub(crate) fn shown(&self) -> String {
        shown(&self.url)
    }
}

/// `url` without its password.
pub(crate) fn shown(url: &Url) -> String {
    let mut url = url.clone();
    if url.password().is_some() {
        // It has a host, or it would not have got this far, so this cannot fail.
        let _ = url.set_password(Some("***"));
    }
    url.into()
}

/// The settings, and the connections that wait for another request.
pub(crate) struct Client {
    options: Arc<Options>,
    connector: Connector,
    pool: Pool<Stream>,
}

impl Client {
    pub(crate) fn new(options: Arc<Options>) -> Client {
        let connector = Connector::new(options.cacert.clone());
        Client {
            options,
            connector,
            pool: Pool::new(),
        }
    }

    /// Fetches one URL, with retries. An error is part of the outcome.
    pub(crate) async fn fetch(&self, job: &Job, bar: &Bar<'_>) -> Outcome {
        let start = Instant::now();
        let mut retries = 0;
        loop {
            let mut trace = Trace::default();
            let limited = timeout(self.options.timeout, self.attempt(job, &mut trace, bar)).await;
            let result = limited.unwrap_or_else(|_| {
                let message = format!(
                    "timed out after {:?} while {}",
                    self.options.timeout,
                    trace.phase.doing()
                );
                Err(Failure::new(Kind::Timeout, message).advise("raise --timeout"))
            });
            let mut error = result.err();
            if let Some(failure) = &mut error
                && retries < self.options.retries
                && let Some(pause) = self.pause(failure, retries)
            {
                retries += 1;
                bar.note(&format!(
                    "retry {retries}/{} in {:.1} s: {}: {}",
                    self.options.retries,
                    pause.as_secs_f64(),
                    job.shown(),
                    failure.message
                ));
                sleep(pause).await;
                continue;
            }
            return Outcome {
                url: job.shown(),
                file: job.file.clone(),
                trace,
                retries,
                total: start.elapsed(),
                error,
            };
        }
    }

    /// How long to wait before another attempt, `None` if there should be none.
    fn pause(&self, failure: &mut Failure, retries: u32) -> Option<Duration> {
        if !failure.retry {
            return None;
        }
        let asked = failure
            .retry_after
            .as_deref()
            .and_then(|value| retry::retry_after(value, SystemTime::now()));
        match asked {
            Some(wait) if wait > self.options.timeout => {
                failure.message += &format!(
                    " and asks to wait {} s, longer than --timeout",
                    wait.as_secs()
                );
                None
            }
            Some(wait) => Some(wait),
            None => Some(retry::pause(retries, retry::jitter())),
        }
    }

    /// One attempt: follows redirects, then takes the body.
    async fn attempt(&self, job: &Job, trace: &mut Trace, bar: &Bar<'_>) -> Result<(), Failure> {
        let mut url = job.url.clone();
        let mut headers = self.options.headers.clone();
        loop {
            auth::from_url(&mut url, &mut headers);
            let origin = Origin::of(&url).ok_or_else(|| {
                Failure::new(
                    Kind::Redirect,
                    format!("{} is neither http nor https", shown(&url)),
                )
            })?;
            let reply = self.exchange(&origin, &url, &headers, trace).await?;
            let status = reply.head.status();
            let location = reply
                .head
                .headers()
                .get(header::LOCATION)
                .filter(|_| matches!(status.as_u16(), 301 | 302 | 303 | 307 | 308));
            if let Some(location) = location {
                let next =
                    redirect::follow(&url, location.as_bytes(), trace.redirects, &self.options)?;
                trace.redirects += 1;
                if Origin::of(&next).as_ref() != Some(&origin) {
                    redirect::strip_secrets(&mut headers);
                }
                self.discard(&origin, reply).await;
                url = next;
            } else if status.is_success() {
                let (file, max_size) = (job.file.as_deref(), self.options.max_size);
                if let Some(connection) = download(reply, file, max_size, trace, bar).await? {
                    self.pool.put(&origin, connection);
                }
                return Ok(());
            } else {
                let retry_after = reply
                    .head
                    .headers()
                    .get(header::RETRY_AFTER)
                    .and_then(|value| Some(value.to_str().ok()?.to_owned()));
                self.discard(&origin, reply).await;
                return Err(Failure::status(status, retry_after));
            }
        }
    }

    /// Sends one GET, on a connection from the pool if there is one.
    async fn exchange(
        &self,
        origin: &Origin,
        url: &Url,
        headers: &HeaderMap,
        trace: &mut Trace,
    ) -> Result<Reply<Stream>, Failure> {
        let limit = self.options.max_size;
        if let Some(connection) = self.pool.take(origin).await {
            trace.reused = true;
            let before = trace.first_byte;
            match exchange(connection, request(url, headers)?, limit, trace).await {
                // The server closed it while the request was on its way, and has not seen the request:
                // that is not a failure of the URL, so it costs no retry.
                Err(failure) if failure.kind == Kind::Closed && trace.first_byte == before => {}
                result => return result,
            }
        }
        trace.reused = false;
        let connection = self.connector.connect(origin, trace).await?;
        exchange(connection, request(url, headers)?, limit, trace).await
    }

    /// Drops a body nobody wants, and keeps the connection if that is quick.
    async fn discard(&self, origin: &Origin, mut reply: Reply<Stream>) {
        const PATIENCE: Duration = Duration::from_secs(1);
        // A failure here is none of the URL's: the connection is closed, that is all.
        if let Ok(Ok(())) = timeout(PATIENCE, reply.body.discard(DISCARD_BYTES)).await
            && let Ok(Some(connection)) = reply.body.finish().await
        {
            self.pool.put(origin, connection);
        }
    }
}

fn request(url: &Url, headers: &HeaderMap) -> Result<Request<()>, Failure> {
    let mut url = url.clone();
    url.set_fragment(None);
    let uri: Uri = url.as_str().parse().map_err(|error| {
        Failure::new(
            Kind::Protocol,
            format!("{} cannot be requested: {error}", shown(&url)),
        )
    })?;
    let mut request = Request::new(());
    *request.uri_mut() = uri;
    *request.headers_mut() = headers.clone();
    request
        .headers_mut()
        .entry(header::ACCEPT)
        .or_insert(HeaderValue::from_static("*/*"));
    request
        .headers_mut()
        .entry(header::ACCEPT_ENCODING)
        .or_insert(HeaderValue::from_static(ACCEPTED));
    Ok(request)
}
