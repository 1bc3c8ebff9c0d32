//! Home: the thread that a local task belongs to, as other threads see it.

use std::sync::Arc;

use crate::context;
use crate::driver::Interrupt;
use crate::queue::Inject;
use crate::shared::Shared;
use crate::task::{self, Header, OwnedByOne, Runnable, Schedule, Task};

/// A thread that runs tasks: its mailbox, its own tasks, its interrupt.
pub(crate) struct Home {
    /// Local tasks woken by other threads.
    pub(crate) mailbox: Inject<Header>,
    /// Local tasks that are not complete.
    pub(crate) owned: OwnedByOne,
    interrupt: Arc<dyn Interrupt>,
}

impl Home {
    pub(crate) fn new(interrupt: Arc<dyn Interrupt>) -> Home {
        Home {
            mailbox: Inject::new(),
            owned: OwnedByOne::new(),
            interrupt,
        }
    }

    pub(crate) fn interrupt(&self) {
        self.interrupt.interrupt();
    }
}

/// Where the local tasks of a thread live: one count for each of them.
pub(crate) struct Place {
    pub(crate) home: Arc<Home>,
    pub(crate) shared: Arc<Shared>,
}

impl Place {
    /// What `task::replace_home` knows it by: no other one has it while a task of
    /// this one lives, as that keeps it.
    #[inline]
    pub(crate) fn address(&self) -> usize {
        std::ptr::from_ref(self).addr()
    }
}

/// The scheduler of a local task: everything goes to its home.
pub(crate) struct Local(pub(crate) Arc<Place>);

impl Schedule for Local {
    const LOCAL: bool = true;

    #[inline]
    fn schedule(&self, runnable: Runnable) {
        if task::is_home(self.0.address()) {
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

    #[inline]
    fn disown(&self, key: usize) -> Option<Task> {
        let task = self.0.home.owned.remove(key);
        self.0.shared.task_ended();
        task
    }

    #[inline]
    fn runtime(&self) -> &Shared {
        &self.0.shared
    }

    #[inline]
    fn home(&self) -> Option<usize> {
        Some(self.0.address())
    }

    fn keep(&self, task: Task) {
        self.0.home.owned.keep(task);
    }
}
