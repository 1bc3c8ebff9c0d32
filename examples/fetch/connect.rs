//! From an origin to a stream: name, TCP, TLS, each step timed.
//!
//! 1. the name becomes addresses on the runtime's blocking pool (an address literal skips this);
//! 2. `TcpStream::connect` races over them (RFC 8305), so one dead address costs little;
//! 3. for https, rustls shakes hands and checks the certificate against the system's roots, or
//!    against `--cacert` alone.
//!
//! The roots are read when the first https connection needs them, off the loop: a run of plain http
//! never opens them.

use std::{
    io,
    net::{IpAddr, SocketAddr},
    path::{Path, PathBuf},
    pin::Pin,
    sync::{Arc, OnceLock},
    task::{Context, Poll},
    time::Instant,
};

use futures_io::{AsyncRead, AsyncWrite};
use futures_rustls::{TlsConnector, client::TlsStream};
use rustls::{
    ClientConfig, RootCertStore,
    crypto::ring,
    pki_types::{CertificateDer, ServerName, pem::PemObject},
};
use url::Host;
use wakeline::net::TcpStream;

use super::{
    error::{Failure, Kind},
    exchange::Connection,
    pool::Origin,
    trace::{Phase, Trace, add},
};

/// Plain or encrypted.
pub(crate) enum Stream {
    Plain(TcpStream),
    Tls(Box<TlsStream<TcpStream>>),
}

/// Opens connections; holds the TLS settings they share.
pub(crate) struct Connector {
    cacert: Option<PathBuf>,
    tls: Arc<OnceLock<Result<TlsConnector, Failure>>>,
}

impl Connector {
    pub(crate) fn new(cacert: Option<PathBuf>) -> Connector {
        Connector {
            cacert,
            tls: Arc::default(),
        }
    }

    /// Connects to `origin`.
    ///
    /// # Errors
    ///
    /// `Kind::Dns`, `Kind::Connect` or `Kind::Tls`, after the step that failed.
    ///
    /// # Cancellation
    ///
    /// Dropping the future closes what has been opened.
    pub(crate) async fn connect(
        &self,
        origin: &Origin,
        trace: &mut Trace,
    ) -> Result<Connection<Stream>, Failure> {
        let addresses = resolve(origin, trace).await?;

        trace.phase = Phase::Connecting;
        let start = Instant::now();
        let tcp = TcpStream::connect(&addresses[..])
            .await
            .map_err(|error| connect_failure(origin, &error))?;
        add(&mut trace.connect, start.elapsed());
        if !origin.https {
            return Ok(Connection::new(Stream::Plain(tcp)));
        }

        trace.phase = Phase::Handshaking;
        let start = Instant::now();
        let tls = self
            .tls()
            .await?
            .connect(server_name(origin)?, tcp)
            .await
            .map_err(|error| tls_failure(origin, error))?;
        add(&mut trace.tls, start.elapsed());
        Ok(Connection::new(Stream::Tls(Box::new(tls))))
    }

    /// The TLS settings, made at first use.
    async fn tls(&self) -> Result<TlsConnector, Failure> {
        if let Some(made) = self.tls.get() {
            return made.clone();
        }
        let (tls, cacert) = (Arc::clone(&self.tls), self.cacert.clone());
        wakeline::spawn_blocking(move || {
            tls.get_or_init(|| tls_settings(cacert.as_deref())).clone()
        })
        .await
        .unwrap_or_else(|error| {
            Err(Failure::new(
                Kind::Internal,
                format!("loading certificates: {error}"),
            ))
        })
    }
}

async fn resolve(origin: &Origin, trace: &mut Trace) -> Result<Vec<SocketAddr>, Failure> {
    let name = match &origin.host {
        Host::Ipv4(address) => {
            return Ok(vec![SocketAddr::new(IpAddr::from(*address), origin.port)]);
        }
        Host::Ipv6(address) => {
            return Ok(vec![SocketAddr::new(IpAddr::from(*address), origin.port)]);
        }
        Host::Domain(name) => name.clone(),
    };
    trace.phase = Phase::Resolving;
    let start = Instant::now();
    let found = wakeline::net::lookup_host((name.clone(), origin.port)).await;
    add(&mut trace.dns, start.elapsed());
    match found.map(Vec::from_iter) {
        Ok(addresses) if !addresses.is_empty() => Ok(addresses),
        Ok(_) => Err(Failure::new(
            Kind::Dns,
            format!("the name {name} has no address"),
        )),
        Err(error) => Err(lookup_failure(&error)),
    }
}

/// The runtime's errors say what they were doing: "look up NAME: REASON", "connect ADDRESS: REASON".
fn lookup_failure(error: &io::Error) -> Failure {
    let failure = Failure::new(Kind::Dns, format!("cannot {error}"));
    match os_error(error) {
        // Out of descriptors, say: the name is not to blame.
        Some(_) => failure,
        None => failure.advise("check its spelling and the network"),
    }
}

fn connect_failure(origin: &Origin, error: &io::Error) -> Failure {
    let message = match &origin.host {
        Host::Domain(name) => format!("cannot connect to {name}: {error}"),
        _ => format!("cannot {error}"),
    };
    let failure = Failure::new(Kind::Connect, message);
    match error.kind() {
        io::ErrorKind::ConnectionRefused => {
            failure.advise("is the server running, and is this its port?")
        }
        _ => failure,
    }
}

/// The errno at the end of the chain of causes.
fn os_error(error: &io::Error) -> Option<i32> {
    let mut cause: Option<&(dyn std::error::Error + 'static)> = Some(error);
    while let Some(error) = cause {
        if let Some(code) = error.downcast_ref().and_then(io::Error::raw_os_error) {
            return Some(code);
        }
        cause = error.source();
    }
    None
}

fn server_name(origin: &Origin) -> Result<ServerName<'static>, Failure> {
    match &origin.host {
        Host::Domain(name) => ServerName::try_from(name.clone()).map_err(|error| {
            Failure::new(
                Kind::Tls,
                format!("{name} cannot be the name in a certificate: {error}"),
            )
        }),
        Host::Ipv4(address) => Ok(ServerName::from(IpAddr::from(*address))),
        Host::Ipv6(address) => Ok(ServerName::from(IpAddr::from(*address))),
    }
}

/// Which certificates to trust, TLS 1.2 and 1.3, and HTTP/1.1 as the only protocol.
fn tls_settings(cacert: Option<&Path>) -> Result<TlsConnector, Failure> {
    let provider = Arc::new(ring::default_provider());
    let failed = |error: rustls::Error| {
        Failure::new(Kind::Tls, format!("cannot set TLS up: {error}")).fatal()
    };
    let builder = ClientConfig::builder_with_provider(Arc::clone(&provider))
        .with_safe_default_protocol_versions()
        .map_err(failed)?;
    let mut settings = match cacert {
        Some(file) => builder
            .with_root_certificates(read_roots(file)?)
            .with_no_client_auth(),
        None => {
            let verifier = rustls_platform_verifier::Verifier::new(provider).map_err(|error| {
                failed(error)
                    .advise("install the system's CA certificates, or name a file with --cacert")
            })?;
            builder
                .dangerous()
                .with_custom_certificate_verifier(Arc::new(verifier))
                .with_no_client_auth()
        }
    };
    settings.alpn_protocols = vec![b"http/1.1".to_vec()];
    Ok(TlsConnector::from(Arc::new(settings)))
}

/// Reads a PEM file of certificates.
///
/// # Errors
///
/// `Kind::Tls`: it cannot be read, holds no certificate, or one that is no CA's.
pub(crate) fn read_roots(file: &Path) -> Result<RootCertStore, Failure> {
    let failed = |why: String| {
        Failure::new(Kind::Tls, format!("cannot use {}: {why}", file.display())).fatal()
    };
    let mut roots = RootCertStore::empty();
    for certificate in
        CertificateDer::pem_file_iter(file).map_err(|error| failed(error.to_string()))?
    {
        let certificate = certificate.map_err(|error| failed(error.to_string()))?;
        roots
            .add(certificate)
            .map_err(|error| failed(error.to_string()))?;
    }
    if roots.is_empty() {
        return Err(failed("there is no certificate in it".into())
            .advise("it must be PEM: -----BEGIN CERTIFICATE-----"));
    }
    Ok(roots)
}

fn tls_failure(origin: &Origin, error: io::Error) -> Failure {
    let reason = error
        .get_ref()
        .and_then(|inner| inner.downcast_ref::<rustls::Error>());
    let failure = Failure::new(
        Kind::Tls,
        format!(
            "no TLS session with {}:{}: {error}",
            origin.host, origin.port
        ),
    );
    match reason {
        Some(rustls::Error::InvalidCertificate(rustls::CertificateError::UnknownIssuer)) => {
            failure.advise("if you trust its CA, name the CA's certificate with --cacert")
        }
        Some(rustls::Error::InvalidMessage(_)) => {
            failure.advise("does this port speak http instead of https?")
        }
        Some(_) => failure,
        // The transport failed, not the handshake's content: the next try may do.
        None => Failure {
            retry: true,
            ..failure
        },
    }
}

impl AsyncRead for Stream {
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        into: &mut [u8],
    ) -> Poll<io::Result<usize>> {
        match self.get_mut() {
            Stream::Plain(tcp) => Pin::new(tcp).poll_read(cx, into),
            Stream::Tls(tls) => Pin::new(tls).poll_read(cx, into),
        }
    }
}

impl AsyncWrite for Stream {
    fn poll_write(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        from: &[u8],
    ) -> Poll<io::Result<usize>> {
        match self.get_mut() {
            Stream::Plain(tcp) => Pin::new(tcp).poll_write(cx, from),
            Stream::Tls(tls) => Pin::new(tls).poll_write(cx, from),
        }
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Stream::Plain(tcp) => Pin::new(tcp).poll_flush(cx),
            Stream::Tls(tls) => Pin::new(tls).poll_flush(cx),
        }
    }

    fn poll_close(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Stream::Plain(tcp) => Pin::new(tcp).poll_close(cx),
            Stream::Tls(tls) => Pin::new(tls).poll_close(cx),
        }
    }
}
