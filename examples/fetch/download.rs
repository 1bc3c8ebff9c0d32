//! The body of a success: through its decoder into the file, or only counted.
//!
//! ```text
//!   body ──▶ decoder ──▶ 64 KiB ──▶ count, limit ──▶ sink
//! ```
//! Nothing is held but that buffer and the sink's batch, however large the body is. The file gets
//! its name last, when the response is known to be whole; before that, dropping this future
//! leaves no trace of it.

use std::path::Path;

use futures_io::{AsyncRead, AsyncWrite};

use super::{
    decode::{Coding, Decoder},
    error::{Failure, Kind},
    exchange::{Connection, Reply},
    limits::DISCARD_BYTES,
    output::Sink,
    progress::Bar,
    trace::{Phase, Trace},
};

/// Bytes that are decoded, counted and passed on at a time.
const STEP: usize = 64 * 1024;

/// Takes the body of `reply`, at most `max_size` bytes of it, into `file` if there is one.
///
/// Gives the connection back if it can carry another request.
///
/// # Errors
///
/// Those of the body (`Closed`, `Protocol`), of its coding (`Decode`), of the limit (`TooLarge`) and of
/// the file (`Output`).
///
/// # Cancellation
///
/// Dropping the future closes the connection and removes the unfinished file.
pub(crate) async fn download<S>(
    reply: Reply<S>,
    file: Option<&Path>,
    max_size: u64,
    trace: &mut Trace,
    bar: &Bar<'_>,
) -> Result<Option<Connection<S>>, Failure>
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    trace.phase = Phase::Reading;
    let coding = Coding::of(reply.head.headers())?;
    let doing = format!("the body is not valid {}", coding.name());
    let broken = |error| Failure::from_io(error, Kind::Decode, &doing);
    bar.begin(reply.body.declared().filter(|_| coding == Coding::Plain));

    let mut decoder = Decoder::new(coding, reply.body).await.map_err(broken)?;
    let mut sink = file.map(Sink::new);
    let mut buffer = vec![0; STEP];
    loop {
        let read = decoder.read(&mut buffer).await;
        trace.wire_bytes = decoder.get_ref().received();
        let read = read.map_err(broken)?;
        if read == 0 {
            break;
        }
        trace.bytes += read as u64;
        if trace.bytes > max_size {
            return Err(bomb(trace, coding, max_size));
        }
        bar.add(read);
        if let Some(sink) = &mut sink {
            sink.write(&buffer[..read]).await?;
        }
        if coding != Coding::Plain {
            // A bomb decodes for long without reading from its stream: let the others have a turn.
            wakeline::yield_now().await;
        }
    }

    // The decoder has its end; what is left is the end of the framing.
    let mut body = decoder.into_inner();
    body.discard(DISCARD_BYTES).await.map_err(broken)?;
    trace.wire_bytes = body.received();
    let connection = body.finish().await?;
    if let Some(sink) = sink {
        trace.phase = Phase::Saving;
        sink.commit().await?;
    }
    Ok(connection)
}

fn bomb(trace: &Trace, coding: Coding, max_size: u64) -> Failure {
    let (wire, name) = (trace.wire_bytes, coding.name());
    let message = format!("{wire} bytes of {name} became more than {max_size} bytes");
    Failure::new(Kind::TooLarge, message)
        .advise("raise --max-size if this is no decompression bomb")
}
