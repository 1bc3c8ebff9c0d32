//! The futures that wait for a lock for readers and writers.

use super::{
    OwnedRwLockReadGuard, OwnedRwLockWriteGuard, RwLock, RwLockReadGuard, RwLockWriteGuard,
};
use crate::cell::{Exclusive, Shared, Taking};
use std::fmt;
use std::future::Future;
use std::panic::Location;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

/// The future of [`RwLock::read`].
#[must_use = "a lock is only waited for when this is awaited"]
pub struct RwLockRead<'a, T: ?Sized> {
    taking: Taking<&'a RwLock<T>, Shared<&'a RwLock<T>>>,
}

/// The future of [`RwLock::write`].
#[must_use = "a lock is only waited for when this is awaited"]
pub struct RwLockWrite<'a, T: ?Sized> {
    taking: Taking<&'a RwLock<T>, Exclusive<&'a RwLock<T>>>,
}

/// The future of [`RwLock::read_owned`].
#[must_use = "a lock is only waited for when this is awaited"]
pub struct RwLockReadOwned<T: ?Sized> {
    taking: Taking<Arc<RwLock<T>>, Shared<Arc<RwLock<T>>>>,
}

/// The future of [`RwLock::write_owned`].
#[must_use = "a lock is only waited for when this is awaited"]
pub struct RwLockWriteOwned<T: ?Sized> {
    taking: Taking<Arc<RwLock<T>>, Exclusive<Arc<RwLock<T>>>>,
}

impl<'a, T: ?Sized> RwLockRead<'a, T> {
    #[inline]
    pub(super) fn new(
        lock: &'a RwLock<T>,
        location: &'static Location<'static>,
    ) -> RwLockRead<'a, T> {
        RwLockRead {
            taking: Taking::new(lock, location),
        }
    }
}

impl<'a, T: ?Sized> Future for RwLockRead<'a, T> {
    type Output = RwLockReadGuard<'a, T>;

    #[inline]
    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        self.taking.poll(cx).map(RwLockReadGuard::new)
    }
}

impl<T: ?Sized> fmt::Debug for RwLockRead<'_, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("RwLockRead").field(&self.taking).finish()
    }
}

impl<'a, T: ?Sized> RwLockWrite<'a, T> {
    #[inline]
    pub(super) fn new(
        lock: &'a RwLock<T>,
        location: &'static Location<'static>,
    ) -> RwLockWrite<'a, T> {
        RwLockWrite {
            taking: Taking::new(lock, location),
        }
    }
}

impl<'a, T: ?Sized> Future for RwLockWrite<'a, T> {
    type Output = RwLockWriteGuard<'a, T>;

    #[inline]
    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        self.taking.poll(cx).map(RwLockWriteGuard::new)
    }
}

impl<T: ?Sized> fmt::Debug for RwLockWrite<'_, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("RwLockWrite").field(&self.taking).finish()
    }
}

impl<T: ?Sized> RwLockReadOwned<T> {
    #[inline]
    pub(super) fn new(
        lock: Arc<RwLock<T>>,
        location: &'static Location<'static>,
    ) -> RwLockReadOwned<T> {
        RwLockReadOwned {
            taking: Taking::new(lock, location),
        }
    }
}

impl<T: ?Sized> Future for RwLockReadOwned<T> {
    type Output = OwnedRwLockReadGuard<T>;

    #[inline]
    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        self.taking.poll(cx).map(OwnedRwLockReadGuard::new)
    }
}

impl<T: ?Sized> fmt::Debug for RwLockReadOwned<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("RwLockReadOwned")
            .field(&self.taking)
            .finish()
    }
}

impl<T: ?Sized> RwLockWriteOwned<T> {
    #[inline]
    pub(super) fn new(
        lock: Arc<RwLock<T>>,
        location: &'static Location<'static>,
    ) -> RwLockWriteOwned<T> {
        RwLockWriteOwned {
            taking: Taking::new(lock, location),
        }
    }
}

impl<T: ?Sized> Future for RwLockWriteOwned<T> {
    type Output = OwnedRwLockWriteGuard<T>;

    #[inline]
    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        self.taking.poll(cx).map(OwnedRwLockWriteGuard::new)
    }
}

impl<T: ?Sized> fmt::Debug for RwLockWriteOwned<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("RwLockWriteOwned")
            .field(&self.taking)
            .finish()
    }
}
