//! temp
pub(crate) mod deque;
mod inject;
pub(crate) use deque::{Owner, Stealer};
pub(crate) use inject::{Inject, Link};
