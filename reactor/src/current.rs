//! Which reactor this thread has.
//!
//! A leaf arms on the reactor of the thread that polls it. A worker enters its
//! reactor for good; a thread that only blocks on a future may never need one,
//! so there [`enter_lazy`] promises a reactor and the first leaf has it made. A
//! thread that runs blocking jobs has none, only its runtime's clock.

use crate::clock::Clock;
use crate::config::Config;
use crate::error::NoRuntime;
use crate::reactor::{Core, Reactor};
use std::cell::{OnceCell, RefCell};
use std::fmt;
use std::io;
use std::rc::Rc;
use std::sync::Arc;

#[derive(Clone)]
enum Current {
    None,
    Made(Rc<Core>),
    Lazy(Rc<Lazy>),
    Clock(Clock),
}

impl Current {
    /// The reactor, if there is one by now.
    #[inline]
    fn made(&self) -> Option<&Rc<Core>> {
        match self {
            Current::Made(core) => Some(core),
            Current::Lazy(lazy) => lazy.made.get().map(|reactor| &reactor.core),
            Current::None | Current::Clock(_) => None,
        }
    }
}

struct Lazy {
    config: Arc<Config>,
    on_create: RefCell<Option<OnCreate>>,
    made: OnceCell<Reactor>,
}

type OnCreate = Box<dyn FnOnce(&Reactor)>;

thread_local! {
    static CURRENT: RefCell<Current> = const { RefCell::new(Current::None) };
}

#[inline]
fn replace(current: Current) -> Current {
    CURRENT
        .try_with(|slot| slot.replace(current))
        .unwrap_or(Current::None)
}

/// This thread's reactor, made now if it was promised.
#[inline]
pub(crate) fn get() -> io::Result<Rc<Core>> {
    let found = CURRENT.try_with(|slot| match &*slot.borrow() {
        Current::Made(core) => Ok(Rc::clone(core)),
        other => Err(other.clone()),
    });
    let core = match found {
        Ok(Ok(core)) => core,
        Ok(Err(Current::Lazy(lazy))) => lazy.get()?,
        _ => return Err(io::Error::other(NoRuntime)),
    };
    core.check_process()?;
    Ok(core)
}

/// Calls `f`, which runs no foreign code, with this thread's reactor, made now if it
/// was promised.
#[inline]
pub(crate) fn with<R>(f: impl FnOnce(&Core) -> R) -> io::Result<R> {
    let mut f = Some(f);
    loop {
        let done = CURRENT.try_with(|slot| {
            let slot = slot.borrow();
            // Lent, not counted: nothing in `f` could take it from the thread.
            let core = slot.made()?;
            core.check_process().ok()?;
            f.take().map(|f| f(core))
        });
        if let Ok(Some(done)) = done {
            return Ok(done);
        }
        // It is made, and there the next time; or this says why not.
        drop(get()?);
    }
}

/// As [`if_home`], for an `f` that runs no foreign code.
#[inline]
pub(crate) fn lent_if_home<R>(home: u64, f: impl FnOnce(&Core) -> R) -> Option<R> {
    let done = CURRENT.try_with(|slot| {
        let slot = slot.borrow();
        // Lent, not counted: nothing in `f` could take it from the thread.
        let core = slot.made().filter(|core| core.home.id == home)?;
        Some(f(core))
    });
    done.ok().flatten()
}

/// Calls `f` if this thread's reactor exists and is the one called `home`.
#[inline]
pub(crate) fn if_home<R>(home: u64, f: impl FnOnce(&Core) -> R) -> Option<R> {
    let core = CURRENT.try_with(|slot| slot.borrow().made().map(Rc::clone));
    let core = core.ok().flatten().filter(|core| core.home.id == home)?;
    Some(f(&core))
}

/// This thread's clock, if it is not the real one.
#[cold]
pub(crate) fn clock() -> Option<Clock> {
    let found = CURRENT.try_with(|slot| match &*slot.borrow() {
        Current::Made(core) => core.clock.clone(),
        Current::Lazy(lazy) => lazy.config.clock.clone(),
        Current::Clock(clock) => Some(clock.clone()),
        Current::None => None,
    });
    found.ok().flatten()
}

/// While it lives, this thread goes by a clock; made by [`Clock::enter`].
#[must_use = "the clock is left when this is dropped"]
pub struct EnteredClock {
    outer: Current,
}

impl EnteredClock {
    pub(crate) fn new(clock: Clock) -> EnteredClock {
        EnteredClock {
            outer: replace(Current::Clock(clock)),
        }
    }
}

impl Drop for EnteredClock {
    fn drop(&mut self) {
        drop(replace(std::mem::replace(&mut self.outer, Current::None)));
    }
}

impl fmt::Debug for EnteredClock {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("EnteredClock").finish_non_exhaustive()
    }
}

impl Lazy {
    #[cold]
    fn make(&self) -> io::Result<()> {
        let reactor = Reactor::new(&self.config)?;
        let on_create = self.on_create.take();
        let reactor = self.made.get_or_init(|| reactor);
        if let Some(on_create) = on_create {
            on_create(reactor);
        }
        Ok(())
    }

    fn get(&self) -> io::Result<Rc<Core>> {
        if self.made.get().is_none() {
            self.make()?;
        }
        let reactor = self.made.get().expect("made just now, and never taken out");
        Ok(Rc::clone(&reactor.core))
    }
}

/// While it lives, a reactor is this thread's; made by [`Reactor::enter`].
#[must_use = "the reactor is left when this is dropped"]
pub struct Entered {
    outer: Current,
    pauses: bool,
}

impl Entered {
    pub(crate) fn new(core: Rc<Core>) -> Entered {
        Entered {
            outer: replace(Current::Made(core)),
            pauses: false,
        }
    }

    /// Leaves the reactor for a moment: timers and operations stay with it, which
    /// only go on when it is turned again, while the drop of the guard hands them
    /// out, too.
    ///
    /// # Example
    ///
    /// ```
    /// use std::pin::pin;
    /// use std::task::{Context, Waker};
    /// use std::time::Duration;
    /// use wakeline_reactor::{Config, Reactor, time};
    ///
    /// let reactor = Reactor::new(&Config::default())?;
    /// let mut sleep = pin!(time::sleep(Duration::from_secs(60)));
    /// let entered = reactor.enter();
    /// assert!(sleep.as_mut().poll(&mut Context::from_waker(Waker::noop())).is_pending());
    /// entered.pause();
    /// assert_eq!(reactor.metrics().timers, 1);
    /// drop(reactor.enter());
    /// assert_eq!(reactor.metrics().timers, 0);
    /// # Ok::<(), std::io::Error>(())
    /// ```
    pub fn pause(mut self) {
        self.pauses = true;
    }
}

impl Drop for Entered {
    fn drop(&mut self) {
        let inner = replace(std::mem::replace(&mut self.outer, Current::None));
        // Outside of the cell: this and the last handle's end run wakers.
        if let Current::Made(core) = &inner
            && if_home(core.home.id, |_| ()).is_none()
        {
            if self.pauses {
                core.pause();
            } else {
                core.leave();
            }
        }
        drop(inner);
    }
}

impl fmt::Debug for Entered {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Entered").finish_non_exhaustive()
    }
}

/// While it lives, this thread has a reactor as soon as a leaf needs one; made
/// by [`enter_lazy`].
#[must_use = "the reactor is left when this is dropped"]
pub struct LazyEntered {
    lazy: Rc<Lazy>,
    outer: Current,
}

impl LazyEntered {
    /// The reactor, if a leaf has needed one so far.
    #[must_use]
    pub fn reactor(&self) -> Option<Reactor> {
        self.lazy.made.get().cloned()
    }
}

impl Drop for LazyEntered {
    fn drop(&mut self) {
        let inner = replace(std::mem::replace(&mut self.outer, Current::None));
        drop(inner);
    }
}

impl fmt::Debug for LazyEntered {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("LazyEntered")
            .field("made", &self.lazy.made.get().is_some())
            .finish()
    }
}

/// Promises this thread a reactor: the first leaf that must wait has it made.
///
/// `on_create` is then called once, in the middle of that leaf's poll, with the
/// new reactor; whoever sleeps on this thread learns from it that sleeping is
/// [`Reactor::turn`] from now on.
///
/// # Example
///
/// ```
/// use std::sync::Arc;
/// use wakeline_reactor::{Config, enter_lazy};
///
/// let entered = enter_lazy(Arc::new(Config::default()), Box::new(|_reactor| {}));
/// assert!(entered.reactor().is_none()); // nothing has needed one yet
/// ```
pub fn enter_lazy(config: Arc<Config>, on_create: Box<dyn FnOnce(&Reactor)>) -> LazyEntered {
    let on_create = RefCell::new(Some(on_create));
    let lazy = Rc::new(Lazy {
        config,
        on_create,
        made: OnceCell::new(),
    });
    LazyEntered {
        outer: replace(Current::Lazy(Rc::clone(&lazy))),
        lazy,
    }
}
