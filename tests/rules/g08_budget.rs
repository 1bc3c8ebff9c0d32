//! G8: ten thousand operations that are all ready let a neighbour run now and
//! then, on a single worker.

mod endless;
mod spins;

use crate::g06_foreign_wakers::hooked::{fired, hooked, on_every_hook};
use crate::primitives::{Cell, Primitive, Rule, all};
use crate::support::for_each_backend;
use std::cell::RefCell;
use std::future::poll_fn;
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering::SeqCst};
use std::task::{Context, Poll};
use wakeline::io::copy_bidirectional;
use wakeline::spawn;
use wakeline::sync::watch;

/// Operations of a task that never waits.
pub(crate) const TURNS: usize = 10_000;
const PER_POLL: usize = 128;

/// To the back of the queue. `yield_now` would be more polite: it lets the driver
/// look first, which a busy worker has it do only now and then.
fn again() -> impl Future<Output = ()> {
    let mut yielded = false;
    poll_fn(move |cx| {
        if std::mem::replace(&mut yielded, true) {
            return Poll::Ready(());
        }
        cx.waker().wake_by_ref();
        Poll::Pending
    })
}

#[test]
fn who_never_waits_lets_a_neighbour_run() {
    let tested: Vec<Primitive> = all()
        .into_iter()
        .filter(|primitive| primitive.cell(Rule::Budget) == Cell::Tested)
        .collect();
    let names: Vec<_> = tested.iter().map(|primitive| primitive.name).collect();
    let_a_neighbour_run(&names, spins::of);
}

/// What is no primitive, but may be called in a loop as well.
#[test]
fn so_does_who_calls_what_is_known_or_cached() {
    let names = [
        "lookup_host",
        "File::rewind",
        "io::copy",
        "copy_bidirectional",
        "io::empty",
        "io::repeat",
        "io::sink",
    ];
    let_a_neighbour_run(&names, endless::of);
}

fn let_a_neighbour_run(names: &[&str], spin: impl Fn(&str) -> spins::Spin) {
    let unfair = RefCell::new(Vec::<String>::new());
    for_each_backend(|backend| {
        for name in names {
            let runtime = backend.runtime(1);
            let runs = runtime.block_on(runs_beside(spin(name)));
            if runs < TURNS / PER_POLL / 2 {
                let on = backend.name();
                unfair.borrow_mut().push(format!("{name} on {on}: {runs}"));
            }
        }
    });
    let unfair = unfair.into_inner();
    assert!(
        unfair.is_empty(),
        "the neighbour ran too rarely beside {unfair:#?}"
    );
}

/// How often a neighbour runs meanwhile.
async fn runs_beside(spin: spins::Spin) -> usize {
    let over = Arc::new(AtomicBool::new(false));
    let runs = Arc::new(AtomicUsize::new(0));
    let neighbour = spawn({
        let (over, runs) = (Arc::clone(&over), Arc::clone(&runs));
        async move {
            while !over.load(SeqCst) {
                runs.fetch_add(1, SeqCst);
                again().await;
            }
        }
    });
    let spinning = spawn(async move {
        spin.await;
        over.store(true, SeqCst);
    });
    spinning.await.expect("no panic");
    neighbour.await.expect("no panic");
    runs.load(SeqCst)
}

/// Of a copy both ways neither way is kept waiting by one that never has to wait.
#[test]
fn neither_way_of_a_copy_takes_all_turns() {
    for_each_backend(|backend| {
        backend.runtime(1).block_on(async {
            let (mut a, mut b) = endless::pair();
            copy_bidirectional(&mut a, &mut b).await.expect("no errors");
            let (from_a, from_b) = (a.reads(), b.reads());
            assert!(from_a.abs_diff(from_b) <= TURNS / 4, "{from_a}, {from_b}");
        });
    });
}

/// Whenever the wait is about to wait, the next value is there.
#[test]
fn a_wait_for_a_value_that_never_comes_gives_way_between_those_that_do() {
    for_each_backend(|backend| {
        backend.runtime(1).block_on(async {
            let (sender, mut receiver) = watch::channel(0);
            let _hook = on_every_hook(move || {
                let next = |value: &mut usize| {
                    *value += 1;
                    *value < TURNS
                };
                sender.send_if_modified(next);
            });
            let mut asked = 0;
            let mut wait = pin!(receiver.wait_for(|_| {
                asked += 1;
                false
            }));
            let (waker, woken) = (hooked(), fired().wake);
            let polled = wait.as_mut().poll(&mut Context::from_waker(&waker));
            assert!(polled.is_pending());
            assert!(fired().wake > woken, "it is to go on");
            assert!(asked <= PER_POLL, "{asked} values in one poll");
        });
    });
}
