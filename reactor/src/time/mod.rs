//! Timers: not here yet.

pub(crate) mod wheel;
