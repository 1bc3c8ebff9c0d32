use std::cell::RefCell;
use std::future::{Future, pending, poll_fn};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::{Pin, pin};
use std::task::{Context, Poll, Waker};
use std::thread;

crate::task_local! {
    static NUMBER: u32;
    /// Neither `Send` nor `Sync`, and no copy.
    pub(super) static ONCE: std::rc::Rc<RefCell<Vec<u32>>>
}

crate::context_local! {
    static REQUEST: u64;
    /// With a default.
    static TENANT: String = "nobody".to_owned();
    pub(super) static PLACE: &'static str
}

fn poll<F: Future>(future: Pin<&mut F>) -> Poll<F::Output> {
    future.poll(&mut Context::from_waker(Waker::noop()))
}

/// Suspends once.
async fn suspend() {
    let mut polled = false;
    poll_fn(|_| match std::mem::replace(&mut polled, true) {
        true => Poll::Ready(()),
        false => Poll::Pending,
    })
    .await
}

/// Writes down what it sees when it is dropped.
struct Witness<'a>(&'a RefCell<Vec<Option<u32>>>);

impl Drop for Witness<'_> {
    fn drop(&mut self) {
        self.0.borrow_mut().push(NUMBER.try_get().ok());
    }
}

#[test]
fn the_value_is_there_in_each_poll_and_gone_between_them() {
    let mut scope = pin!(NUMBER.scope(1, async {
        assert_eq!(NUMBER.get(), 1);
        suspend().await;
        NUMBER.with(|number| *number + 1)
    }));
    assert!(poll(scope.as_mut()).is_pending());
    assert!(NUMBER.try_get().is_err());
    assert_eq!(poll(scope.as_mut()), Poll::Ready(2));
    assert!(NUMBER.try_get().is_err());
}

#[test]
fn scopes_nest_and_the_inner_one_hides() {
    let mut scope = pin!(NUMBER.scope(1, async {
        let inner = NUMBER
            .scope(2, async {
                suspend().await;
                NUMBER.get()
            })
            .await;
        (inner, NUMBER.get(), NUMBER.sync_scope(3, || NUMBER.get()))
    }));
    assert!(poll(scope.as_mut()).is_pending());
    assert_eq!(poll(scope.as_mut()), Poll::Ready((2, 1, 3)));
}

#[test]
fn destructors_see_the_value_on_completion_on_abort_and_unpolled() {
    let seen = RefCell::default();
    // (polls, completes)
    for (polls, completes) in [(0, false), (1, false), (1, true)] {
        let witness = Witness(&seen);
        let mut scope = Box::pin(NUMBER.scope(5, async move {
            // Captured, so dropped with the future and not in its last poll.
            let _witness = &witness;
            if !completes {
                pending::<()>().await;
            }
        }));
        for _ in 0..polls {
            assert_eq!(poll(scope.as_mut()).is_ready(), completes);
        }
        drop(scope);
    }
    assert_eq!(seen.take(), [Some(5); 3]);
}

#[test]
fn who_is_run_in_the_midst_of_a_scope_sees_nothing_of_it() {
    NUMBER.sync_scope(1, || {
        {
            let _aside = crate::Aside::new();
            assert!(NUMBER.try_get().is_err());
            let mut scope = pin!(NUMBER.scope(2, async {
                assert_eq!(NUMBER.get(), 2);
                let _aside = crate::Aside::new();
                NUMBER.try_get().is_err()
            }));
            assert_eq!(poll(scope.as_mut()), Poll::Ready(true));
            assert!(NUMBER.try_get().is_err());
        }
        assert_eq!(NUMBER.get(), 1);
    });
}

#[test]
fn a_panic_leaves_nothing_behind() {
    let mut scope = Box::pin(NUMBER.scope(1, async { panic!("in a scope") }));
    assert!(catch_unwind(AssertUnwindSafe(|| poll::<_>(scope.as_mut()))).is_err());
    assert!(NUMBER.try_get().is_err());
    let caught = catch_unwind(|| NUMBER.sync_scope(1, || panic!("in a scope")));
    assert!(caught.is_err());
    assert!(NUMBER.try_get().is_err());
}

#[test]
fn a_scope_inside_of_with_says_what_to_do() {
    let caught = catch_unwind(|| {
        NUMBER.sync_scope(1, || NUMBER.with(|_| NUMBER.sync_scope(2, || ())));
    });
    let payload = caught.expect_err("it cannot work");
    let text = payload.downcast_ref::<String>().expect("words");
    assert!(text.contains("inside a `with`"), "{text}");
    assert_eq!(
        NUMBER.sync_scope(3, || NUMBER.get()),
        3,
        "the slot still works"
    );
}

#[test]
fn a_value_can_be_taken_out_of_its_scope() {
    let mut scope = Box::pin(NUMBER.scope(9, async { NUMBER.try_get().is_err() }));
    assert_eq!(scope.as_mut().take_value(), Some(9));
    assert_eq!(poll(scope.as_mut()), Poll::Ready(true));
}

#[test]
fn a_value_need_not_be_send() {
    let list = std::rc::Rc::default();
    let scope = ONCE.scope(std::rc::Rc::clone(&list), async {
        ONCE.with(|list| list.borrow_mut().push(1));
    });
    assert!(poll(pin!(scope)).is_ready());
    assert_eq!(list.take(), [1]);
}

#[test]
fn a_value_goes_with_its_future_from_thread_to_thread() {
    let mut scope = Box::pin(NUMBER.scope(4, async {
        suspend().await;
        NUMBER.get()
    }));
    assert!(poll(scope.as_mut()).is_pending());
    let there = thread::spawn(move || poll(scope.as_mut()));
    assert_eq!(there.join().expect("no panic"), Poll::Ready(4));
}

#[test]
#[should_panic(expected = "no `scope` of it surrounds this code")]
fn without_a_scope_with_panics() {
    NUMBER.with(|_| ());
}

#[test]
fn a_default_is_there_without_a_scope_and_hidden_by_one() {
    assert_eq!(TENANT.get(), "nobody");
    assert_eq!(
        TENANT.sync_scope("acme".to_owned(), || TENANT.get()),
        "acme"
    );
    assert_eq!(TENANT.get(), "nobody");
    assert!(REQUEST.try_get().is_err());
    assert!(PLACE.try_get().is_err());
}

#[test]
fn values_of_several_variables_are_in_force_together() {
    let mut scope = pin!(REQUEST.scope(
        7,
        TENANT.scope("acme".to_owned(), async {
            suspend().await;
            (REQUEST.get(), TENANT.get())
        })
    ));
    assert!(poll(scope.as_mut()).is_pending());
    assert!(REQUEST.try_get().is_err());
    assert_eq!(poll(scope.as_mut()), Poll::Ready((7, "acme".to_owned())));
}

#[test]
fn a_scope_inside_of_with_sees_both() {
    let both = REQUEST.sync_scope(1, || {
        REQUEST.with(|outer| (*outer, REQUEST.sync_scope(2, || REQUEST.get())))
    });
    assert_eq!(both, (1, 2));
}

#[test]
fn destructors_see_an_inheritable_value_too() {
    struct Seen<'a>(&'a RefCell<Vec<u64>>);
    impl Drop for Seen<'_> {
        fn drop(&mut self) {
            self.0.borrow_mut().push(REQUEST.get());
        }
    }
    let seen = RefCell::default();
    for polls in [0, 1] {
        let witness = Seen(&seen);
        let mut scope = Box::pin(REQUEST.scope(8, async move {
            let _witness = &witness;
            pending::<()>().await;
        }));
        for _ in 0..polls {
            assert!(poll(scope.as_mut()).is_pending());
        }
        drop(scope);
    }
    assert_eq!(seen.take(), [8, 8]);
}
