//! How many permits there are in all: available, held, or collected by one who
//! waits.
//!
//! Only what adds permits or takes them out for good changes that number, and it
//! may not exceed the bound. Taking and giving never look at it.

use super::Semaphore;
use crate::error::OverBound;
use crate::sync::atomic::Ordering;

impl Semaphore {
    /// Adds `permits`, to those who wait first.
    ///
    /// # Panics
    ///
    /// If that makes more than [`MAX_PERMITS`](Semaphore::MAX_PERMITS), or than a
    /// [bounded](Semaphore::bounded) semaphore had at first.
    ///
    /// # Example
    ///
    /// ```
    /// use wakeline_sync::Semaphore;
    ///
    /// let gate = Semaphore::new(0);
    /// gate.add_permits(3);
    /// assert_eq!(gate.available(), 3);
    /// ```
    #[track_caller]
    pub fn add_permits(&self, permits: usize) {
        if let Err(error) = self.try_add_permits(permits) {
            panic!("{error}");
        }
    }

    /// Adds `permits`, to those who wait first, if there may be so many.
    ///
    /// # Errors
    ///
    /// [`OverBound`] if that makes more than [`MAX_PERMITS`](Semaphore::MAX_PERMITS),
    /// or than a [bounded](Semaphore::bounded) semaphore had at first, counting
    /// those that are held; nothing is added then.
    ///
    /// # Example
    ///
    /// ```
    /// use wakeline_sync::Semaphore;
    ///
    /// let two = Semaphore::bounded(2);
    /// assert!(two.try_add_permits(1).is_err());
    /// assert_eq!(two.forget_permits(1), 1);
    /// assert!(two.try_add_permits(1).is_ok());
    /// ```
    pub fn try_add_permits(&self, permits: usize) -> Result<(), OverBound> {
        let mut issued = self.issued.load(Ordering::Relaxed);
        loop {
            if permits > self.bound - issued {
                return Err(OverBound {
                    added: permits,
                    issued,
                    bound: self.bound,
                });
            }
            // Relaxed: the number hands nothing over; the word does, in `give`.
            match self.issued.compare_exchange_weak(
                issued,
                issued + permits,
                Ordering::Relaxed,
                Ordering::Relaxed,
            ) {
                Ok(_) => break,
                Err(now) => issued = now,
            }
        }
        self.give(permits);
        Ok(())
    }

    /// Takes up to `permits` of the available ones out for good; tells how many.
    ///
    /// # Example
    ///
    /// ```
    /// use wakeline_sync::Semaphore;
    ///
    /// let gate = Semaphore::new(3);
    /// assert_eq!(gate.forget_permits(5), 3);
    /// assert_eq!(gate.available(), 0);
    /// ```
    pub fn forget_permits(&self, permits: usize) -> usize {
        let gone = self.take_up_to(permits);
        self.retire(gone);
        gone
    }

    /// Permits that were taken will not come back.
    pub(super) fn retire(&self, permits: usize) {
        // Relaxed: as in `try_add_permits`.
        self.issued.fetch_sub(permits, Ordering::Relaxed);
    }
}
