//! Synchronisation that knows only wakers.
