//! Foreign code in places that a panic must not leave: wakers and destructors.

use std::mem;
use std::panic::{AssertUnwindSafe, catch_unwind};

/// Runs foreign code whose panic has nowhere to go: the panic hook has told of it,
/// and whoever calls this has others to serve, or a value to bring home.
///
/// # Example
///
/// ```
/// use wakeline_context::quietly;
///
/// let mut done = Vec::new();
/// for nth in 0..3 {
///     quietly(|| {
///         assert_ne!(nth, 1, "the second one fails");
///         done.push(nth);
///     });
/// }
/// assert_eq!(done, [0, 2]);
/// ```
pub fn quietly(foreign: impl FnOnce()) {
    if let Err(payload) = catch_unwind(AssertUnwindSafe(foreign))
        && let Err(next) = catch_unwind(AssertUnwindSafe(|| drop(payload)))
    {
        // A payload whose destructor panics may do so with another such one,
        // and so on; it is leaked.
        mem::forget(next);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Its destructor panics with another of its kind.
    struct Again;

    impl Drop for Again {
        fn drop(&mut self) {
            std::panic::panic_any(Again);
        }
    }

    #[test]
    fn a_payload_whose_destructor_panics_goes_no_further() {
        quietly(|| std::panic::panic_any(Again));
    }
}
