//! The peers, each as its users would write it: owned buffers where it has them.

mod compio;
mod glommio;
mod monoio;
mod tokio;

use crate::Contestant;

pub(crate) fn all() -> [Contestant; 4] {
    [
        monoio::CONTESTANT,
        compio::CONTESTANT,
        glommio::CONTESTANT,
        tokio::CONTESTANT,
    ]
}
