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

use http::{HeaderMap, HeaderName, Request, Uri, header};
use url::Url;
use wakeline::time::{sleep, timeout};

use super::{
    connect::{Connector, Stream},
    decode::{ACCEPTED, Coding, Decoder},
    error::{Failure, Kind},
    exchange::{Reply, exchange},
    limits::DISCARD_BYTES,
    output::Sink,
    pool::{Origin, Pool},
    progress::Bar,
    report::Outcome,
    retry,
    trace::{Phase, Trace},
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
    /// The URL without its password, for people to read.
    pub(crate) fn shown(&self) -> String {
        let mut url = self.url.clone();
        if url.password().is_some() {
            // It has a host, or it would not have got this far, so this cannot fail.
            let _ = url.set_password(Some("***"));
        }
        url.into()
    }
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
            let origin = Origin::of(&url)
                .ok_or_else(|| refused(format!("{url} is neither http nor https")))?;
            let reply = self.exchange(&origin, &url, &headers, trace).await?;
            let status = reply.head.status();
            let location = reply
                .head
                .headers()
                .get(header::LOCATION)
                .filter(|_| matches!(status.as_u16(), 301 | 302 | 303 | 307 | 308));
            if let Some(location) = location {
                let next = self.redirect(&url, location.as_bytes(), trace.redirects)?;
                trace.redirects += 1;
                if Origin::of(&next).as_ref() != Some(&origin) {
                    headers.retain_for_others();
                }
                self.discard(&origin, reply).await;
                url = next;
            } else if status.is_success() {
                return self.download(&origin, reply, job, trace, bar).await;
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

    /// Where to go from `url`, after `followed` redirects.
    fn redirect(&self, url: &Url, location: &[u8], followed: u32) -> Result<Url, Failure> {
        let shown = String::from_utf8_lossy(location);
        let next = str::from_utf8(location)
            .ok()
            .and_then(|location| url.join(location).ok());
        let next = next.ok_or_else(|| refused(format!("the redirect to {shown:?} is no URL")))?;
        if followed >= self.options.max_redirects {
            return Err(refused(format!(
                "more than {} redirects, the next to {next}",
                self.options.max_redirects
            ))
            .advise("it may be a loop, or raise --max-redirects"));
        }
        match (url.scheme(), next.scheme()) {
            ("https", "http") if !self.options.allow_downgrade => Err(refused(format!(
                "the redirect to {next} leaves https for http"
            ))
            .advise("if that is meant, add --allow-downgrade")),
            (_, "http" | "https") => Ok(next),
            (_, scheme) => Err(refused(format!(
                "the redirect leads to {scheme}, and only http and https are followed"
            ))),
        }
    }

    /// Reads the body through its decoder into the file, or only counts it.
    async fn download(
        &self,
        origin: &Origin,
        reply: Reply<Stream>,
        job: &Job,
        trace: &mut Trace,
        bar: &Bar<'_>,
    ) -> Result<(), Failure> {
        trace.phase = Phase::Reading;
        let coding = Coding::of(reply.head.headers())?;
        let broken = |error| {
            Failure::from_io(
                error,
                Kind::Decode,
                &format!("the body is not valid {}", coding.name()),
            )
        };
        bar.begin(reply.body.declared().filter(|_| coding == Coding::Plain));
        let mut decoder = Decoder::new(coding, reply.body).await.map_err(broken)?;
        let mut sink = job.file.as_deref().map(Sink::new);
        let mut buffer = vec![0; 64 * 1024];
        loop {
            let read = decoder.read(&mut buffer).await;
            trace.wire_bytes = decoder.get_ref().received();
            let read = read.map_err(broken)?;
            if read == 0 {
                break;
            }
            trace.bytes += read as u64;
            if trace.bytes > self.options.max_size {
                let message = format!(
                    "{} bytes of {} became more than {} bytes",
                    trace.wire_bytes,
                    coding.name(),
                    self.options.max_size
                );
                return Err(Failure::new(Kind::TooLarge, message)
                    .advise("raise --max-size if this is no decompression bomb"));
            }
            bar.add(read);
            match &mut sink {
                Some(sink) => sink.write(&buffer[..read]).await?,
                // A decoder can go on for long without reading: let the others have a turn.
                None if coding != Coding::Plain => wakeline::yield_now().await,
                None => {}
            }
        }
        let mut body = decoder.into_inner();
        body.discard(DISCARD_BYTES).await.map_err(broken)?;
        trace.wire_bytes = body.received();
        let connection = body.finish().await?;
        if let Some(sink) = sink {
            trace.phase = Phase::Saving;
            sink.commit().await?;
        }
        if let Some(connection) = connection {
            self.pool.put(origin, connection);
        }
        Ok(())
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
    let uri: Uri = url
        .as_str()
        .parse()
        .map_err(|error| refused(format!("{url} cannot be requested: {error}")))?;
    let mut request = Request::new(());
    *request.uri_mut() = uri;
    *request.headers_mut() = headers.clone();
    request
        .headers_mut()
        .entry(header::ACCEPT)
        .or_insert(header::HeaderValue::from_static("*/*"));
    request
        .headers_mut()
        .entry(header::ACCEPT_ENCODING)
        .or_insert(header::HeaderValue::from_static(ACCEPTED));
    Ok(request)
}

fn refused(message: String) -> Failure {
    Failure::new(Kind::Redirect, message)
}

trait RetainForOthers {
    fn retain_for_others(&mut self);
}

impl RetainForOthers for HeaderMap {
    /// Leaves what another origin may see. A `--header` may carry a secret under any name (a cookie, a
    /// token, an API key), so only those that describe the client stay.
    fn retain_for_others(&mut self) {
        let secret: Vec<HeaderName> = self
            .keys()
            .filter(|name| **name != header::USER_AGENT && !name.as_str().starts_with("accept"))
            .cloned()
            .collect();
        for name in secret {
            self.remove(name);
        }
    }
}
