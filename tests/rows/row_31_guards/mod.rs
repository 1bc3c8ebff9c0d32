//! Values with an asynchronous finalizer: it runs once, whatever happens.

mod adopted;
mod grace;
mod runs;

use std::sync::{Arc, Mutex};
use std::time::Duration;
use wakeline::ScopeError;
use wakeline::time::sleep;

type Plain<T> = Result<T, ScopeError<&'static str>>;

/// What has happened, in order.
#[derive(Clone, Default)]
struct Log(Arc<Mutex<Vec<&'static str>>>);

impl Log {
    fn add(&self, line: &'static str) {
        self.0.lock().unwrap().push(line);
    }

    fn take(&self) -> Vec<&'static str> {
        std::mem::take(&mut *self.0.lock().unwrap())
    }

    /// A finalizer that says when it begins and when it has ended.
    fn finalizer(&self) -> impl FnOnce(&'static str) -> Finalizes + Send + use<> {
        let log = self.clone();
        move |name| {
            Box::pin(async move {
                sleep(Duration::from_millis(1)).await;
                log.add(name);
            })
        }
    }
}

type Finalizes = std::pin::Pin<Box<dyn Future<Output = ()> + Send>>;
