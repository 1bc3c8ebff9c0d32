//! What a rule needs of a primitive: futures that wait, and a way to grant.

use std::any::Any;
use std::cell::RefCell;
use std::fmt::Debug;
use std::future::Future;
use std::pin::Pin;
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Context, Poll, Wake, Waker};

use wakeline::yield_now;

/// What a wait got; dropping it gives it back.
pub(crate) type Held = Box<dyn Any>;
pub(crate) type Wait = Pin<Box<dyn Future<Output = Held>>>;
pub(crate) type Job = Pin<Box<dyn Future<Output = ()>>>;

/// One primitive, in a state in which all who ask must wait.
pub(crate) struct World {
    /// Makes a future that must wait.
    pub(crate) wait: Rc<dyn Fn() -> Wait>,
    /// Makes one of them ready, or all: see `Shape`.
    pub(crate) grant: Box<dyn FnMut() -> Job>,
    /// A `try_` of the same: whether it got something.
    pub(crate) attempt: Option<Rc<dyn Fn() -> bool>>,
    /// What the primitive says of itself.
    pub(crate) state: Rc<dyn Fn() -> String>,
}

impl World {
    pub(crate) fn new<F>(wait: impl Fn() -> F + 'static, mut grant: impl FnMut() + 'static) -> World
    where
        F: Future + 'static,
        F::Output: 'static,
    {
        World::later(wait, move || {
            grant();
            Box::pin(async {})
        })
    }

    /// Where a grant takes a while.
    pub(crate) fn later<F>(
        wait: impl Fn() -> F + 'static,
        grant: impl FnMut() -> Job + 'static,
    ) -> World
    where
        F: Future + 'static,
        F::Output: 'static,
    {
        World {
            wait: Rc::new(move || {
                let future = wait();
                Box::pin(async move { Box::new(future.await) as Held })
            }),
            grant: Box::new(grant),
            attempt: None,
            state: Rc::new(String::new),
        }
    }

    pub(crate) fn attempt(mut self, attempt: impl Fn() -> bool + 'static) -> World {
        self.attempt = Some(Rc::new(attempt));
        self
    }

    pub(crate) fn state(mut self, of: &'static dyn Debug) -> World {
        self.state = Rc::new(move || format!("{of:?}"));
        self
    }
}

/// What is used by one wait at a time, which gives it back when it is dropped:
/// the `&mut self` of a receiver.
pub(crate) struct Lent<T>(Rc<RefCell<Option<T>>>);

impl<T> Lent<T> {
    pub(crate) fn new(value: T) -> Lent<T> {
        Lent(Rc::new(RefCell::new(Some(value))))
    }

    pub(crate) fn take(&self) -> Borrowed<T> {
        Borrowed {
            value: None,
            home: Rc::clone(&self.0),
        }
    }
}

pub(crate) struct Borrowed<T> {
    value: Option<T>,
    home: Rc<RefCell<Option<T>>>,
}

impl<T> Borrowed<T> {
    /// Taken at the first use: whoever is not polled uses nothing.
    pub(crate) fn get(&mut self) -> &mut T {
        if self.value.is_none() {
            self.value = self.home.borrow_mut().take();
        }
        self.value.as_mut().expect("one wait at a time")
    }
}

impl<T> Drop for Borrowed<T> {
    fn drop(&mut self) {
        if let Some(value) = self.value.take() {
            *self.home.borrow_mut() = Some(value);
        }
    }
}

/// For futures that must be `'static`; a test leaks little.
pub(crate) fn leak<T>(value: T) -> &'static T {
    Box::leak(Box::new(value))
}

/// A waker that counts its wakes, and whose references can be counted.
#[derive(Debug, Default)]
pub(crate) struct Count(AtomicUsize);

impl Count {
    pub(crate) fn new() -> (Arc<Count>, Waker) {
        let count = Arc::new(Count::default());
        (Arc::clone(&count), Waker::from(count))
    }

    pub(crate) fn get(&self) -> usize {
        self.0.load(Ordering::SeqCst)
    }
}

impl Wake for Count {
    fn wake(self: Arc<Self>) {
        self.0.fetch_add(1, Ordering::SeqCst);
    }
}

pub(crate) fn poll(wait: &mut Wait, waker: &Waker) -> Poll<Held> {
    wait.as_mut().poll(&mut Context::from_waker(waker))
}

/// Lets the runtime work until `done`, which must come.
pub(crate) async fn until(what: &str, mut done: impl FnMut() -> bool) {
    let start = std::time::Instant::now();
    for turn in 0_u64.. {
        if done() {
            return;
        }
        if turn > 1_000 {
            // It may be another thread's turn; how many turns that takes, who knows.
            std::thread::yield_now();
            assert!(start.elapsed().as_secs() < 50, "{what}: it never came");
        }
        yield_now().await;
    }
}

/// Grants, and waits until `wait` has it.
pub(crate) async fn granted(world: &mut World, wait: &mut Wait) -> Held {
    let (count, waker) = Count::new();
    if let Poll::Ready(held) = poll(wait, &waker) {
        return held;
    }
    (world.grant)().await;
    until("the wake of a grant", || count.get() > 0).await;
    match poll(wait, &waker) {
        Poll::Ready(held) => held,
        Poll::Pending => panic!("it was woken for nothing"),
    }
}

/// Polls who was woken: ready, or, where the wake was for a place at the front and
/// the front has something to wait for, ready after one more grant.
pub(crate) async fn served(
    world: &mut World,
    wait: &mut Wait,
    (count, waker): &(Arc<Count>, Waker),
) -> Held {
    until("a wake", || count.get() > 0).await;
    if let Poll::Ready(held) = poll(wait, waker) {
        return held;
    }
    let before = count.get();
    (world.grant)().await;
    until("the wake of a grant", || count.get() > before).await;
    match poll(wait, waker) {
        Poll::Ready(held) => held,
        Poll::Pending => panic!("it was woken twice for nothing"),
    }
}
