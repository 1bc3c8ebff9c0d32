//! Home: the thread that a local task belongs to, as other threads see it.

use std::mem::ManuallyDrop;
use std::ops::Deref;
use std::sync::Arc;
use std::sync::atomic::AtomicUsize;
use std::sync::atomic::Ordering::Relaxed;

use wakeline_context::is_home;

use crate::context;
use crate::driver::Interrupt;
use crate::queue::Inject;
use crate::shared::Shared;
use crate::task::{Header, OwnedByOne, Runnable, Schedule, Task};

/// A thread that runs tasks: its mailbox, its own tasks, its interrupt.
pub(crate) struct Home {
    /// Tasks of this thread alone that were woken by other threads.
    pub(crate) mailbox: Inject<Header>,
    /// Tasks of this thread alone that are not complete: local ones, and those that an
    /// only worker has spawned.
    pub(crate) owned: OwnedByOne,
    interrupt: Arc<dyn Interrupt>,
}

impl Home {
    pub(crate) fn new(interrupt: Arc<dyn Interrupt>) -> Arc<Home> {
        let mut home = Arc::new(Home {
            mailbox: Inject::new(),
            owned: OwnedByOne::new(),
            interrupt,
        });
        let address = home.address();
        let alone = Arc::get_mut(&mut home).expect("nobody else knows of it");
        alone.owned.favour(address);
        home
    }

    /// What `replace_home` knows it by: no other one has it while a task of
    /// this one lives, as that keeps it.
    #[inline]
    pub(crate) fn address(&self) -> usize {
        std::ptr::from_ref(self).addr()
    }

    pub(crate) fn interrupt(&self) {
        self.interrupt.interrupt();
    }
}

/// Where the tasks of a thread come from: one count for each of them.
pub(crate) struct Place {
    pub(crate) home: Arc<Home>,
    pub(crate) shared: Arc<Shared>,
    /// Counts of this place that ended tasks left for the next ones, so that neither
    /// has to count. Home alone looks at it.
    left: AtomicUsize,
}

impl Place {
    pub(crate) fn new(home: Arc<Home>, shared: Arc<Shared>) -> Arc<Place> {
        Arc::new(Place {
            home,
            shared,
            left: AtomicUsize::new(0),
        })
    }

    /// A count for a new task. The caller is at home.
    #[inline]
    pub(crate) fn count(self: &Arc<Place>) -> Count {
        debug_assert!(is_home(self.home.address()));
        let place = self.take_left().unwrap_or_else(|| Arc::clone(self));
        Count(ManuallyDrop::new(place))
    }

    /// The scheduler of a new task that stays here. The caller is at home.
    #[inline]
    pub(crate) fn local(self: &Arc<Place>) -> Local {
        Local(self.count())
    }

    /// Gives all counts back that were left: nobody is at home any more.
    pub(crate) fn clear(self: &Arc<Place>) {
        while let Some(place) = self.take_left() {
            drop(place);
        }
    }

    #[inline]
    fn take_left(self: &Arc<Place>) -> Option<Arc<Place>> {
        // Relaxed, here and below: one thread only, or the last to have it.
        let left = self.left.load(Relaxed).checked_sub(1)?;
        self.left.store(left, Relaxed);
        // SAFETY: the drop of a `Count` left this one, and it is taken once.
        Some(unsafe { Arc::from_raw(Arc::as_ptr(self)) })
    }
}

/// A task's count of the place where it was spawned.
pub(crate) struct Count(ManuallyDrop<Arc<Place>>);

impl Deref for Count {
    type Target = Place;

    #[inline]
    fn deref(&self) -> &Place {
        &self.0
    }
}

impl Drop for Count {
    #[inline]
    fn drop(&mut self) {
        let place = &*self.0;
        if is_home(place.home.address()) {
            // The count stays, for `take_left`.
            place.left.store(place.left.load(Relaxed) + 1, Relaxed);
        } else {
            // SAFETY: this is the one drop, and nobody has it afterwards.
            unsafe { ManuallyDrop::drop(&mut self.0) };
        }
    }
}

/// The scheduler of a local task: everything goes to its home.
pub(crate) struct Local(Count);

impl Local {
    #[inline(always)]
    pub(crate) fn place(&self) -> &Place {
        &self.0
    }
}

impl Schedule for Local {
    #[inline]
    fn schedule(&self, runnable: Runnable) {
        if is_home(self.0.home.address()) {
            context::with(|current| {
                let current = current.expect("who is at home is in its context");
                current.push_local(runnable);
            });
        } else {
            // Its own count: after the push the task may be run and freed.
            let home = Arc::clone(&self.0.home);
            if context::push(&home.mailbox, runnable) {
                home.interrupt();
            }
        }
    }

    #[inline(always)]
    fn disown(&self, task: &Header) -> Option<Task> {
        let task = self.0.home.owned.remove(task);
        self.0.shared.task_ended();
        task
    }

    #[inline]
    fn runtime(&self) -> &Shared {
        &self.0.shared
    }

    #[inline]
    fn home(&self) -> Option<usize> {
        Some(self.0.home.address())
    }

    fn keep(&self, task: Task) {
        self.0.home.owned.keep(task);
    }
}
