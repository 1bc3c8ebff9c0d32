//! What surrounds the code that runs: values that spawned tasks inherit, and
//! the cancel token in force.
//!
//! ```text
//!   task A                       spawn                task B
//!   Locals ─▶ tenant ─▶ request ───────▶ the same list, and its own from here on
//!   token of A's scope            ╳      a detached task is no part of a scope
//! ```
//!
//! A list of values is never changed, only prolonged: a snapshot is one count. It has
//! one value of each key, however many tasks have spawned each other inside of scopes:
//!
//! ```text
//!   a: 2, in force over   tenant ─▶ a: 1 ─▶ request
//!   gives   a: 2 ─▶ tenant, once more ─▶ request
//! ```
//!
//! The executor takes one at each spawn and puts it in place around each poll
//! and each drop. The token is in place only while a future polls what it
//! guards; its type is known to those who put it here.

mod exchange;

use std::any::Any;
use std::cell::RefCell;
use std::fmt;
use std::iter;
use std::mem;
use std::ptr;
use std::sync::Arc;

use crate::now::now;

pub use exchange::Ambient;

/// Identifies a value in [`Locals`]: a `static` of its own for each.
#[derive(Debug)]
pub struct Key {
    /// Makes each key a place of its own: those of no size may share one.
    _place: u8,
}

impl Key {
    /// A key; only its address counts.
    #[must_use]
    #[expect(
        clippy::new_without_default,
        reason = "a key that is no static identifies nothing"
    )]
    pub const fn new() -> Key {
        Key { _place: 0 }
    }
}

/// The inheritable values in force: a persistent list, newest first.
///
/// # Example
///
/// ```
/// use wakeline_context::{Key, Locals};
///
/// static REQUEST: Key = Key::new();
/// let locals = Locals::current().with(&REQUEST, 7_u64);
/// {
///     let _here = locals.clone().install();
///     assert_eq!(Locals::current().get::<u64>(&REQUEST), Some(&7));
/// }
/// assert_eq!(Locals::current().get::<u64>(&REQUEST), None);
/// ```
#[derive(Clone, Default)]
pub struct Locals(Option<Arc<Layer>>);

struct Layer {
    key: &'static Key,
    value: AnyValue,
    below: Locals,
}

/// Of several lists, as what was above a hidden value is in the old and the new one.
pub(crate) type AnyValue = Arc<dyn Any + Send + Sync>;

/// The cancel token in force, its type forgotten.
pub type AnyToken = Arc<dyn Any + Send + Sync>;

thread_local! {
    /// Whether these two have a value stands in `Now`.
    static LOCALS: RefCell<Locals> = const { RefCell::new(Locals(None)) };
    static TOKEN: RefCell<Option<AnyToken>> = const { RefCell::new(None) };
}

impl Locals {
    /// No values: what tasks of the runtime itself start from.
    #[must_use]
    pub const fn empty() -> Locals {
        Locals(None)
    }

    /// A snapshot of the values in force; empty while the thread is ending.
    #[must_use]
    #[inline]
    pub fn current() -> Locals {
        if !now(|now| now.any_locals.get()) {
            return Locals::empty();
        }
        Locals::some()
    }

    #[inline(never)]
    fn some() -> Locals {
        LOCALS
            .try_with(|locals| locals.borrow().clone())
            .unwrap_or_default()
    }

    /// Whether there is no value.
    #[must_use]
    #[inline]
    pub fn is_empty(&self) -> bool {
        self.0.is_none()
    }

    /// These values and one more, which hides an older one of the same key.
    #[must_use]
    pub fn with<T: Any + Send + Sync>(&self, key: &'static Key, value: T) -> Locals {
        self.clone().prolonged(key, Arc::new(value))
    }

    pub(crate) fn prolonged(self, key: &'static Key, value: AnyValue) -> Locals {
        let below = match self.layer(key) {
            Some(hidden) => self.without(hidden),
            None => self,
        };
        Locals(Some(Arc::new(Layer { key, value, below })))
    }

    /// What is left without this layer, which is one of the list: those below it as they
    /// are, and those above it once more.
    fn without(&self, hidden: &Layer) -> Locals {
        let above = self.layers().take_while(|layer| !ptr::eq(*layer, hidden));
        let above: Vec<_> = above.collect();
        above
            .iter()
            .rev()
            .fold(hidden.below.clone(), |below, layer| {
                Locals(Some(Arc::new(Layer {
                    key: layer.key,
                    value: Arc::clone(&layer.value),
                    below,
                })))
            })
    }

    /// The newest first.
    fn layers(&self) -> impl Iterator<Item = &Layer> {
        iter::successors(self.0.as_deref(), |layer| layer.below.0.as_deref())
    }

    fn layer(&self, key: &'static Key) -> Option<&Layer> {
        self.layers().find(|layer| ptr::eq(layer.key, key))
    }

    /// The newest value of `key`, if there is one of this type.
    #[must_use]
    pub fn get<T: Any>(&self, key: &'static Key) -> Option<&T> {
        self.layer(key)?.value.downcast_ref()
    }

    /// Puts these values in force on this thread until the guard is dropped: by the task,
    /// or the future of a `block_on`, that has made it. Each has values of its own.
    #[inline]
    pub fn install(self) -> InstalledLocals {
        InstalledLocals {
            outer: replace_locals(self),
        }
    }
}

/// Puts `locals` in force on this thread and gives those that were.
///
/// For the executor, which gives them to their task again after a poll;
/// [`Locals::install`] puts those that were back by itself. While the thread is ending
/// nothing is in force.
#[inline]
pub fn replace_locals(locals: Locals) -> Locals {
    if locals.is_empty() && !now(|now| now.any_locals.get()) {
        return locals;
    }
    replace_some(locals)
}

/// Out of line: most polls have no values on either side.
#[inline(never)]
fn replace_some(locals: Locals) -> Locals {
    now(|now| now.any_locals.set(!locals.is_empty()));
    // What was there is dropped by the caller, outside of the cell's borrow: a
    // value's destructor may look at the values.
    LOCALS
        .try_with(|current| mem::replace(&mut *current.borrow_mut(), locals))
        .unwrap_or_default()
}

impl Drop for Layer {
    /// Takes the layers below apart one by one: a list of any length must not
    /// need a stack of that depth.
    fn drop(&mut self) {
        let mut next = self.below.0.take();
        while let Some(mut layer) = next.and_then(Arc::into_inner) {
            next = layer.below.0.take();
        }
    }
}

impl fmt::Debug for Locals {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let count = self.layers().count();
        f.debug_struct("Locals").field("values", &count).finish()
    }
}

/// The guard of [`Locals::install`].
#[derive(Debug)]
#[must_use = "the values are in force until this is dropped"]
pub struct InstalledLocals {
    outer: Locals,
}

impl Drop for InstalledLocals {
    #[inline]
    fn drop(&mut self) {
        drop(replace_locals(mem::take(&mut self.outer)));
    }
}

/// Makes this thread's places for values and token, if there are none yet.
///
/// What a thread touches first it ends last: who keeps tasks in a thread-local
/// of its own calls this before, so that their destructors still find what they
/// inherited when the thread ends.
#[inline]
pub fn outlive_the_rest() {
    let _ = LOCALS.try_with(|_| ());
    let _ = TOKEN.try_with(|_| ());
}

/// The cancel token in force on this thread, if one is.
#[must_use]
#[inline]
pub fn current_token() -> Option<AnyToken> {
    if !now(|now| now.any_token.get()) {
        return None;
    }
    some_token()
}

#[inline(never)]
fn some_token() -> Option<AnyToken> {
    TOKEN
        .try_with(|token| token.borrow().clone())
        .ok()
        .flatten()
}

/// Puts `token` in force on this thread until the guard is dropped, in the same poll or
/// by the same future of a `block_on`; `None` hides the one in force.
#[inline]
pub fn install_token(token: Option<AnyToken>) -> InstalledToken {
    InstalledToken {
        outer: replace_token(token),
    }
}

#[inline]
fn replace_token(token: Option<AnyToken>) -> Option<AnyToken> {
    if token.is_none() && !now(|now| now.any_token.get()) {
        return None;
    }
    swap_some(token)
}

#[inline(never)]
fn swap_some(token: Option<AnyToken>) -> Option<AnyToken> {
    now(|now| now.any_token.set(token.is_some()));
    TOKEN
        .try_with(|current| mem::replace(&mut *current.borrow_mut(), token))
        .ok()
        .flatten()
}

/// The guard of [`install_token`].
#[must_use = "the token is in force until this is dropped"]
pub struct InstalledToken {
    outer: Option<AnyToken>,
}

impl Drop for InstalledToken {
    #[inline]
    fn drop(&mut self) {
        drop(replace_token(self.outer.take()));
    }
}

impl fmt::Debug for InstalledToken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("InstalledToken")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    static ONE: Key = Key::new();
    static TWO: Key = Key::new();
    static THREE: Key = Key::new();

    #[test]
    fn the_newest_value_of_a_key_hides_the_older() {
        let locals = Locals::empty().with(&ONE, 1).with(&TWO, "two");
        let newer = locals.with(&ONE, 11);
        assert_eq!(newer.get(&ONE), Some(&11));
        assert_eq!(newer.get(&TWO), Some(&"two"));
        assert_eq!(locals.get(&ONE), Some(&1), "the older list has not changed");
        assert_eq!(locals.get::<u64>(&TWO), None, "another type");
    }

    #[test]
    fn a_hidden_value_is_in_the_older_list_alone() {
        let (hidden, kept) = (Arc::new(1), Arc::new(2));
        let older = Locals::empty()
            .with(&THREE, 3)
            .with(&ONE, Arc::clone(&hidden))
            .with(&TWO, Arc::clone(&kept));
        let newer = older.with(&ONE, Arc::new(11));
        assert_eq!(newer.layers().count(), 3);
        assert_eq!(newer.get(&TWO), Some(&kept));
        assert_eq!(newer.get(&THREE), Some(&3));
        assert_eq!(older.get(&ONE), Some(&hidden));
        assert_eq!(Arc::strong_count(&kept), 2, "one value, of both lists");
        drop(older);
        assert_eq!(Arc::strong_count(&hidden), 1);
        assert_eq!(newer.get(&TWO), Some(&kept));
    }

    #[test]
    fn a_guard_restores_what_was_in_force() {
        let _outer = Locals::current().with(&ONE, 1).install();
        {
            let _inner = Locals::current().with(&ONE, 2).install();
            assert_eq!(Locals::current().get(&ONE), Some(&2));
        }
        assert_eq!(Locals::current().get(&ONE), Some(&1));
    }

    #[test]
    fn a_token_can_be_hidden_and_comes_back() {
        let _outer = install_token(Some(Arc::new(5_u8)));
        {
            let _hidden = install_token(None);
            assert!(current_token().is_none());
        }
        let token = current_token().expect("it is back");
        assert_eq!(token.downcast_ref(), Some(&5_u8));
    }

    #[test]
    fn a_long_list_is_dropped_without_a_deep_stack() {
        let mut locals = Locals::empty();
        for n in 0..200_000 {
            // By hand, as each value has a key of its own otherwise.
            locals = Locals(Some(Arc::new(Layer {
                key: &ONE,
                value: Arc::new(n),
                below: locals,
            })));
        }
        let also = locals.clone();
        drop(locals);
        drop(also);
    }

    #[test]
    fn a_value_may_look_at_the_values_while_it_is_dropped() {
        struct Looks;
        impl Drop for Looks {
            fn drop(&mut self) {
                assert!(Locals::current().is_empty());
            }
        }
        drop(Locals::empty().with(&ONE, Looks).install());
    }
}
