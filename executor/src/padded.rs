//! Room around what several threads write.

/// Alone on its cache lines (two: they are fetched in pairs), so that a thread
/// that writes it does not slow those who use its neighbours.
#[derive(Default)]
#[repr(align(128))]
pub(crate) struct Padded<T>(pub(crate) T);
