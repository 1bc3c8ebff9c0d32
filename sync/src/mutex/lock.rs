//! The futures that wait for a mutex.

use super::{Mutex, MutexGuard, OwnedMutexGuard};
use crate::cell::{Exclusive, Holder, Right, Taking};
use std::fmt;
use std::future::Future;
use std::ops::Deref;
use std::panic::Location;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use wakeline_context::{Kind, waiting_on};

/// The future of [`Mutex::lock`].
#[must_use = "a lock is only waited for when this is awaited"]
pub struct Lock<'a, T: ?Sized> {
    taking: Taking<&'a Mutex<T>, Exclusive<&'a Mutex<T>>>,
}

/// The future of [`Mutex::lock_owned`].
#[must_use = "a lock is only waited for when this is awaited"]
pub struct LockOwned<T: ?Sized> {
    taking: Taking<Arc<Mutex<T>>, Exclusive<Arc<Mutex<T>>>>,
}

impl<'a, T: ?Sized> Lock<'a, T> {
    #[inline]
    pub(crate) fn new(mutex: &'a Mutex<T>, location: &'static Location<'static>) -> Lock<'a, T> {
        Lock {
            taking: Taking::new(mutex, location),
        }
    }
}

impl<T: ?Sized> LockOwned<T> {
    pub(super) fn new(mutex: Arc<Mutex<T>>, location: &'static Location<'static>) -> LockOwned<T> {
        LockOwned {
            taking: Taking::new(mutex, location),
        }
    }
}

/// Who waits for a task's mutex waits for that task: a task list can follow it.
fn tell_owner<T, H, R>(taking: &Taking<H, R>)
where
    T: ?Sized,
    H: Holder + Deref<Target = Mutex<T>>,
    R: Right<H>,
{
    if let Some(mutex) = taking.holder()
        && let Some(owner) = mutex.owner()
    {
        waiting_on(Kind::Mutex, owner, taking.location());
    }
}

impl<'a, T: ?Sized> Future for Lock<'a, T> {
    type Output = MutexGuard<'a, T>;

    #[inline]
    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<MutexGuard<'a, T>> {
        let taken = self.taking.poll(cx);
        if taken.is_pending() {
            tell_owner(&self.taking);
        }
        taken.map(MutexGuard::new)
    }
}

impl<T: ?Sized> Future for LockOwned<T> {
    type Output = OwnedMutexGuard<T>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<OwnedMutexGuard<T>> {
        let taken = self.taking.poll(cx);
        if taken.is_pending() {
            tell_owner(&self.taking);
        }
        taken.map(OwnedMutexGuard::new)
    }
}

impl<T: ?Sized> fmt::Debug for Lock<'_, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Lock").field(&self.taking).finish()
    }
}

impl<T: ?Sized> fmt::Debug for LockOwned<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("LockOwned").field(&self.taking).finish()
    }
}
