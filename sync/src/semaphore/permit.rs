//! Permits: the right to be one of so many, given back when dropped.

use super::Semaphore;
use std::mem;
use std::sync::Arc;

/// Permits of a [`Semaphore`], released when this is dropped.
#[derive(Debug)]
#[must_use = "a permit that is dropped at once protects nothing"]
pub struct Permit<'a> {
    semaphore: &'a Semaphore,
    permits: usize,
}

impl<'a> Permit<'a> {
    #[inline]
    pub(super) fn new(semaphore: &'a Semaphore, permits: usize) -> Permit<'a> {
        Permit { semaphore, permits }
    }

    /// How many permits this is.
    #[must_use]
    pub fn permits(&self) -> usize {
        self.permits
    }

    /// Takes the permits out of the semaphore for good.
    ///
    /// # Example
    ///
    /// ```
    /// use wakeline_sync::Semaphore;
    ///
    /// let shrinking = Semaphore::new(2);
    /// shrinking.try_acquire()?.forget();
    /// assert_eq!(shrinking.available(), 1);
    /// # Ok::<(), wakeline_sync::TryAcquireError>(())
    /// ```
    pub fn forget(mut self) {
        self.semaphore.retire(mem::take(&mut self.permits));
    }

    /// Takes `permits` off as a permit of its own; `None` if there are fewer.
    ///
    /// # Example
    ///
    /// ```
    /// use wakeline_sync::Semaphore;
    ///
    /// let five = Semaphore::new(5);
    /// let mut all = five.try_acquire_many(5)?;
    /// let two = all.split(2).expect("there are five");
    /// assert_eq!((all.permits(), two.permits()), (3, 2));
    /// # Ok::<(), wakeline_sync::TryAcquireError>(())
    /// ```
    #[must_use]
    pub fn split(&mut self, permits: usize) -> Option<Permit<'a>> {
        self.permits = self.permits.checked_sub(permits)?;
        Some(Permit {
            semaphore: self.semaphore,
            permits,
        })
    }

    /// Takes the permits of another over; the opposite of [`split`](Permit::split).
    ///
    /// # Panics
    ///
    /// If the other is of another semaphore.
    ///
    /// # Example
    ///
    /// ```
    /// use wakeline_sync::Semaphore;
    ///
    /// let five = Semaphore::new(5);
    /// let mut permit = five.try_acquire_many(2)?;
    /// permit.merge(five.try_acquire()?);
    /// assert_eq!(permit.permits(), 3);
    /// # Ok::<(), wakeline_sync::TryAcquireError>(())
    /// ```
    #[track_caller]
    pub fn merge(&mut self, mut other: Permit<'a>) {
        assert!(
            std::ptr::eq(self.semaphore, other.semaphore),
            "permits of two semaphores cannot be merged"
        );
        self.permits += mem::take(&mut other.permits);
    }
}

impl Drop for Permit<'_> {
    #[inline]
    fn drop(&mut self) {
        if self.permits != 0 {
            self.semaphore.give(self.permits);
        }
    }
}

/// Permits of a [`Semaphore`] that keep it alive, released when this is dropped.
#[derive(Debug)]
#[must_use = "a permit that is dropped at once protects nothing"]
pub struct OwnedPermit {
    semaphore: Arc<Semaphore>,
    permits: usize,
}

impl OwnedPermit {
    pub(super) fn new(semaphore: Arc<Semaphore>, permits: usize) -> OwnedPermit {
        OwnedPermit { semaphore, permits }
    }

    /// How many permits this is.
    #[must_use]
    pub fn permits(&self) -> usize {
        self.permits
    }

    /// The semaphore they are of.
    #[must_use]
    pub fn semaphore(&self) -> &Arc<Semaphore> {
        &self.semaphore
    }

    /// Takes the permits out of the semaphore for good.
    pub fn forget(mut self) {
        self.semaphore.retire(mem::take(&mut self.permits));
    }

    /// Takes `permits` off as a permit of its own; `None` if there are fewer.
    #[must_use]
    pub fn split(&mut self, permits: usize) -> Option<OwnedPermit> {
        self.permits = self.permits.checked_sub(permits)?;
        Some(OwnedPermit {
            semaphore: Arc::clone(&self.semaphore),
            permits,
        })
    }

    /// Takes the permits of another over; the opposite of
    /// [`split`](OwnedPermit::split).
    ///
    /// # Panics
    ///
    /// If the other is of another semaphore.
    #[track_caller]
    pub fn merge(&mut self, mut other: OwnedPermit) {
        assert!(
            Arc::ptr_eq(&self.semaphore, &other.semaphore),
            "permits of two semaphores cannot be merged"
        );
        self.permits += mem::take(&mut other.permits);
    }
}

impl Drop for OwnedPermit {
    fn drop(&mut self) {
        match mem::take(&mut self.permits) {
            0 => {}
            permits => self.semaphore.give(permits),
        }
    }
}
