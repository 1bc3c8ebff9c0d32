//! Futures and streams that are ready after so many wakes, and a board of those that wait.

use std::cell::{Cell, RefCell};
use std::collections::VecDeque;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll, Waker};

use arbitrary::Arbitrary;
use wakeline::stream::Stream;

/// How often a leaf waits, and whether it wakes itself each time.
#[derive(Arbitrary, Clone, Copy, Debug)]
pub struct Plan {
    waits: u8,
    wakes_itself: u8,
    pub fails: bool,
}

/// What was done for somebody who waits.
#[derive(Debug, Default)]
struct Wakes {
    /// It was given what it waits for.
    given: Cell<bool>,
    /// A waker that it had before was called.
    poked: Cell<bool>,
}

/// A wake that is owed, or one that was given and is given again.
#[derive(Clone, Debug)]
struct Owed {
    waker: Waker,
    to: Rc<Wakes>,
}

/// The leaves of one run.
#[derive(Debug, Default)]
pub struct Board {
    owed: RefCell<Vec<Owed>>,
    stale: RefCell<Vec<Owed>>,
    live: Cell<usize>,
}

impl Board {
    pub fn leaf(self: &Rc<Board>, number: usize, plan: Plan) -> Leaf {
        self.live.set(self.live.get() + 1);
        Leaf {
            number,
            fails: plan.fails,
            gate: Gate::new(plan, Rc::clone(self)),
        }
    }

    /// Leaves that are neither ready nor dropped.
    pub fn live(&self) -> usize {
        self.live.get()
    }

    /// Gives one of the wakes that are owed, and perhaps one that is not; false if none is.
    pub fn wake(&self, which: u8) -> bool {
        let stale = self.stale.borrow().get(usize::from(which) / 2).cloned();
        if let Some(stale) = stale.filter(|_| which.is_multiple_of(2)) {
            stale.to.poked.set(true);
            stale.waker.wake();
        }
        let mut owed = self.owed.borrow_mut();
        if owed.is_empty() {
            return false;
        }
        let at = usize::from(which) % owed.len();
        let one = owed.swap_remove(at);
        drop(owed);
        one.to.given.set(true);
        one.waker.wake_by_ref();
        self.stale.borrow_mut().push(one);
        true
    }

    fn owe(&self, waker: &Waker, to: &Rc<Wakes>) {
        to.given.set(false);
        self.owed.borrow_mut().push(Owed {
            waker: waker.clone(),
            to: Rc::clone(to),
        });
    }

    /// The wake that is owed is owed to this waker now.
    fn renew(&self, waker: &Waker, to: &Rc<Wakes>) {
        let mut owed = self.owed.borrow_mut();
        let same = owed.iter_mut().find(|owed| Rc::ptr_eq(&owed.to, to));
        if let Some(same) = same {
            let before = same.clone();
            same.waker = waker.clone();
            self.stale.borrow_mut().push(before);
        }
    }
}

/// Where somebody waits, as its plan says.
#[derive(Debug)]
struct Gate {
    plan: Plan,
    turn: u8,
    waits: bool,
    wakes: Rc<Wakes>,
    board: Rc<Board>,
}

impl Gate {
    fn new(plan: Plan, board: Rc<Board>) -> Gate {
        Gate {
            plan,
            turn: 0,
            waits: false,
            wakes: Rc::default(),
            board,
        }
    }

    /// Whether it has to wait once more; `only_woken`: it must have been woken.
    fn waits(&mut self, cx: &Context<'_>, only_woken: bool) -> bool {
        let poked = self.wakes.poked.replace(false);
        if self.waits && !self.wakes.given.get() {
            assert!(poked || !only_woken, "it is polled, and was not woken");
            self.board.renew(cx.waker(), &self.wakes);
            return true;
        }
        self.waits = false;
        if self.turn >= self.plan.waits % 8 {
            return false;
        }
        self.turn += 1;
        if self.plan.wakes_itself >> self.turn & 1 == 1 {
            cx.waker().wake_by_ref();
        } else {
            self.waits = true;
            self.board.owe(cx.waker(), &self.wakes);
        }
        true
    }
}

/// A future whose output is its number, or the same as an error.
#[derive(Debug)]
pub struct Leaf {
    number: usize,
    fails: bool,
    gate: Gate,
}

impl Leaf {
    /// What it would give.
    pub fn output(&self) -> Result<usize, usize> {
        if self.fails {
            Err(self.number)
        } else {
            Ok(self.number)
        }
    }
}

impl Future for Leaf {
    type Output = Result<usize, usize>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        if self.gate.waits(cx, true) {
            return Poll::Pending;
        }
        Poll::Ready(self.output())
    }
}

impl Drop for Leaf {
    fn drop(&mut self) {
        let live = &self.gate.board.live;
        live.set(live.get() - 1);
    }
}

/// A stream of leaves, before each of which it may wait.
#[derive(Debug)]
pub struct Leaves {
    board: Rc<Board>,
    next: usize,
    plans: VecDeque<(Plan, Plan)>,
    gate: Option<Gate>,
}

impl Leaves {
    /// Numbered from `first` on.
    pub fn new(board: &Rc<Board>, first: usize, plans: &[(Plan, Plan)]) -> Leaves {
        Leaves {
            board: Rc::clone(board),
            next: first,
            plans: plans.iter().copied().collect(),
            gate: None,
        }
    }
}

impl Stream for Leaves {
    type Item = Leaf;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Leaf>> {
        let this = &mut *self;
        let Some(&(before, plan)) = this.plans.front() else {
            return Poll::Ready(None);
        };
        let board = &this.board;
        let gate = this
            .gate
            .get_or_insert_with(|| Gate::new(before, Rc::clone(board)));
        // It is polled whenever something happens, also if it was not woken.
        if gate.waits(cx, false) {
            return Poll::Pending;
        }
        this.gate = None;
        this.plans.pop_front();
        this.next += 1;
        Poll::Ready(Some(this.board.leaf(this.next - 1, plan)))
    }
}
