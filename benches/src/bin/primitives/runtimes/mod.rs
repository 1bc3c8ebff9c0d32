//! Each runtime by the names that `rows.rs` uses.

mod ours;

#[cfg(feature = "peers")]
mod compio;
#[cfg(feature = "peers")]
mod glommio;
#[cfg(feature = "peers")]
mod monoio;
#[cfg(feature = "peers")]
mod smol;
#[cfg(feature = "peers")]
mod tokio;

use crate::rows::Runtime;

/// Ours first.
pub(crate) fn all() -> Vec<Runtime> {
    vec![
        ours::RUNTIME,
        #[cfg(feature = "peers")]
        tokio::RUNTIME,
        #[cfg(feature = "peers")]
        smol::RUNTIME,
        #[cfg(feature = "peers")]
        monoio::RUNTIME,
        #[cfg(feature = "peers")]
        glommio::RUNTIME,
        #[cfg(feature = "peers")]
        compio::RUNTIME,
    ]
}
