//! What the kernel did not let go of: kept for the rest of the process.
//!
//! A list and not `mem::forget`, so that a leak checker tells this from a
//! leak, and a debugger finds it.

use std::any::Any;
use std::sync::{Mutex, PoisonError};

static KEPT: Mutex<Vec<Box<dyn Any + Send>>> = Mutex::new(Vec::new());

/// Never drops `value`.
pub(crate) fn keep_for_ever(value: impl Any + Send) {
    KEPT.lock()
        .unwrap_or_else(PoisonError::into_inner)
        .push(Box::new(value));
}
