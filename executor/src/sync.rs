//! std's primitives, or loom's in a model: the only `cfg(loom)` of the crate.

#[cfg(loom)]
pub(crate) use loom::sync::atomic;
#[cfg(not(loom))]
pub(crate) use std::sync::atomic;
