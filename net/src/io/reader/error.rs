//! What can go wrong with a read that wants all or nothing.

use std::error::Error;
use std::fmt;
use std::io;

/// The stream ended before as much came as was asked for.
///
/// It is the inside of an `UnexpectedEof` error:
///
/// ```
/// use wakeline_net::io::{AsyncReadExt, EarlyEnd};
///
/// # wakeline_net::testing::block_on(async {
/// # let (mut stream, peer) = wakeline_net::testing::tcp_pair().await?;
/// peer.write(b"abc").await?;
/// drop(peer);
/// let error = stream.read_exact(&mut [0; 8]).await.unwrap_err();
/// let early = error.get_ref().and_then(|inner| inner.downcast_ref::<EarlyEnd>());
/// assert_eq!(early.map(|early| (early.read(), early.wanted())), Some((3, 8)));
/// # std::io::Result::Ok(())
/// # })?;
/// # Ok::<(), std::io::Error>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct EarlyEnd {
    read: usize,
    wanted: usize,
}

impl EarlyEnd {
    pub(crate) fn new(read: usize, wanted: usize) -> EarlyEnd {
        EarlyEnd { read, wanted }
    }

    /// How many bytes came.
    #[must_use]
    pub fn read(&self) -> usize {
        self.read
    }

    /// How many were asked for.
    #[must_use]
    pub fn wanted(&self) -> usize {
        self.wanted
    }
}

impl fmt::Display for EarlyEnd {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "the stream ended after {} of {} bytes",
            self.read, self.wanted
        )
    }
}

impl Error for EarlyEnd {}

impl From<EarlyEnd> for io::Error {
    fn from(early: EarlyEnd) -> io::Error {
        io::Error::new(io::ErrorKind::UnexpectedEof, early)
    }
}

/// A separator did not come within the limit; the inside of an `InvalidData`
/// error. What was gathered is still buffered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LimitExceeded {
    pub(super) limit: usize,
}

impl LimitExceeded {
    /// The limit, in bytes.
    #[must_use]
    pub fn limit(&self) -> usize {
        self.limit
    }
}

impl fmt::Display for LimitExceeded {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "no separator within {} bytes", self.limit)
    }
}

impl Error for LimitExceeded {}
