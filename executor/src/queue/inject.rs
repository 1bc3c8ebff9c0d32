//! temp
use std::ptr::{self, NonNull};
use std::sync::atomic::{AtomicPtr, Ordering::*};
pub(crate) unsafe trait Link: Sized {
    fn link(&self) -> &AtomicPtr<Self>;
}
pub(crate) struct Inject<T> {
    head: AtomicPtr<T>,
}
impl<T: Link> Inject<T> {
    pub(crate) fn new() -> Self {
        Inject {
            head: AtomicPtr::new(ptr::null_mut()),
        }
    }
    pub(crate) fn push(&self, t: NonNull<T>) -> Result<(), ()> {
        let mut h = self.head.load(Relaxed);
        loop {
            unsafe { t.as_ref() }.link().store(h, Relaxed);
            match self
                .head
                .compare_exchange_weak(h, t.as_ptr(), AcqRel, Relaxed)
            {
                Ok(_) => return Ok(()),
                Err(n) => h = n,
            }
        }
    }
    pub(crate) fn is_empty(&self) -> bool {
        self.head.load(Acquire).is_null()
    }
    pub(crate) fn take_all(&self) -> std::vec::IntoIter<NonNull<T>> {
        let mut v = vec![];
        let mut p = self.head.swap(ptr::null_mut(), AcqRel);
        while let Some(n) = NonNull::new(p) {
            v.push(n);
            p = unsafe { n.as_ref() }.link().load(Relaxed);
        }
        v.reverse();
        v.into_iter()
    }
}
