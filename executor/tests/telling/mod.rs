//! A driver whose deputy tells of each look.

use std::io;
use std::sync::Arc;
use std::thread::{self, ThreadId};
use std::time::Duration;

use wakeline_executor::{Deputy, Driver, Interrupt, ParkDriver};

/// It is told on whose behalf: the thread of the driver's worker.
type Tell = dyn Fn(ThreadId) + Send + Sync;

pub(crate) struct Telling {
    park: ParkDriver,
    tell: Arc<Tell>,
}

impl Telling {
    pub(crate) fn new(tell: impl Fn(ThreadId) + Send + Sync + 'static) -> Telling {
        Telling {
            park: ParkDriver::new(),
            tell: Arc::new(tell),
        }
    }
}

impl Driver for Telling {
    fn turn(&mut self, limit: Option<Duration>) -> io::Result<()> {
        self.park.turn(limit)
    }

    fn interrupt(&self) -> Arc<dyn Interrupt> {
        self.park.interrupt()
    }

    fn deputy(&self) -> Option<Arc<dyn Deputy>> {
        let home = thread::current().id();
        Some(Arc::new(Looks(home, Arc::clone(&self.tell))))
    }
}

struct Looks(ThreadId, Arc<Tell>);

impl Deputy for Looks {
    fn look(&self) {
        (self.1)(self.0);
    }
}
