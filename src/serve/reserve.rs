//! A descriptor put aside for the moment when there are none left.
//!
//! `/dev/null` is opened once and closed when `accept` says "too many open
//! files". What the freed number is good for, and what it is not: it is *not*
//! used to serve one client more, which only moves the limit by one. It lets
//! `on_error` open its log file while the program is starved, and, where the
//! caller asked for it, takes waiting clients off the backlog one by one to
//! close them, so that they hear "no" instead of nothing.

use std::fs::File;

/// The descriptor put aside, unless it is lent or could not be had.
#[derive(Debug)]
pub(super) struct Reserve(Option<File>);

impl Reserve {
    /// Opens the descriptor. Without one the server works all the same.
    pub(super) fn open() -> Reserve {
        Reserve(File::open("/dev/null").ok())
    }

    /// Runs `f` with the descriptor given up, and takes it back.
    ///
    /// Another thread may be quicker and take the number away; then the next
    /// loan tries again to open one first.
    pub(super) fn lend<R>(&mut self, f: impl FnOnce() -> R) -> R {
        self.0 = None;
        let result = f();
        *self = Reserve::open();
        result
    }

    /// Whether a loan would free a descriptor now.
    pub(super) fn is_held(&self) -> bool {
        self.0.is_some()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::fd::AsRawFd;

    #[test]
    fn a_loan_frees_the_number_and_takes_it_back() {
        let mut reserve = Reserve::open();
        assert!(reserve.is_held());
        let borrowed = reserve.lend(|| File::open("/dev/null").map(|file| file.as_raw_fd()));
        assert!(borrowed.is_ok());
        assert!(reserve.is_held());
    }
}
