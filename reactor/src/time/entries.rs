//! Where the wheel keeps its entries: pages of cells, linked into lists by index.
//!
//! A timer costs no allocation: its cell comes from a free list, and the list
//! it then belongs to (a slot of the wheel) runs through the cells themselves.
//!
//! ```text
//!   pages:  [ page 0: 1,024 cells ][ page 1 ][ gone ][ page 3 ] ...
//!   index:  page << 10 | cell
//!   cell:   vacant, linked into `free`  ──1──▶  occupied, linked into a slot
//!             ▲                                    │
//!             └────────────────2───────────────────┘
//! ```
//! 1 `insert`  takes the first vacant cell, or adds a page
//! 2 `take`, `pop_front`  the cell is vacant at once, its value handed out
//!
//! Memory returns: a page whose last entry goes is freed, except that one
//! empty page is kept, so that a load that swings around a page's edge does
//! not allocate and free at every swing. Freeing a page takes 1,024 steps and
//! happens at most once in 1,024 removals.
//!
//! A [`Key`] holds a stamp that no other insertion into the same `Entries` had
//! or will have, so a key that outlived its entry finds nothing, also when the
//! cell or the whole page was reused. (A generation per cell would start anew
//! with a page; 64 bits do not wrap in the life of a process.)

use std::mem;

const PAGE_BITS: u32 = 10;
/// Cells in a page.
pub(super) const PAGE: usize = 1 << PAGE_BITS;
/// The end of a list.
const NIL: u32 = u32::MAX;
/// The stamp of a vacant cell.
const VACANT: u64 = 0;

/// Names one entry for as long as it exists, and nothing afterwards.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Key {
    index: u32,
    stamp: u64,
}

impl Key {
    #[inline]
    pub(super) fn stamp(self) -> u64 {
        self.stamp
    }
}

#[derive(Debug)]
struct Cell<T> {
    stamp: u64,
    /// The tick at which the entry is due.
    deadline: u64,
    prev: u32,
    next: u32,
    value: Option<T>,
}

#[derive(Debug)]
struct Page<T> {
    cells: Vec<Cell<T>>,
    occupied: usize,
}

/// A doubly linked list of cells, oldest first.
#[derive(Clone, Copy, Debug)]
pub(super) struct List {
    head: u32,
    tail: u32,
}

impl List {
    pub(super) const EMPTY: List = List {
        head: NIL,
        tail: NIL,
    };

    pub(super) fn is_empty(self) -> bool {
        self.head == NIL
    }
}

/// What an entry that was taken out has left in its list.
#[derive(Debug)]
pub(super) struct Gap {
    pub(super) deadline: u64,
    prev: u32,
    next: u32,
}

/// The page of a cell.
#[inline]
fn page_of(index: u32) -> usize {
    (index >> PAGE_BITS) as usize
}

/// Its place there.
#[inline]
fn cell_of(index: u32) -> usize {
    index as usize % PAGE
}

/// The cells of one wheel.
#[derive(Debug)]
pub(super) struct Entries<T> {
    /// A page that was given back leaves an empty `cells` and its number free.
    pages: Vec<Page<T>>,
    gone: Vec<usize>,
    /// The vacant cell to use next; the others follow by `next`. A `prev` there
    /// is right, except for the first one's, which is never looked at.
    free: u32,
    empty_pages: usize,
    len: usize,
    stamps: u64,
}

impl<T> Entries<T> {
    pub(super) const fn new() -> Entries<T> {
        Entries {
            pages: Vec::new(),
            gone: Vec::new(),
            free: NIL,
            empty_pages: 0,
            len: 0,
            stamps: VACANT,
        }
    }

    pub(super) fn len(&self) -> usize {
        self.len
    }

    /// The stamp of the entry that is inserted next.
    pub(super) fn next_stamp(&self) -> u64 {
        self.stamps + 1
    }

    #[cfg(test)]
    pub(super) fn pages(&self) -> usize {
        self.pages.len() - self.gone.len()
    }

    #[inline]
    fn cell(&self, index: u32) -> &Cell<T> {
        &self.pages[page_of(index)].cells[cell_of(index)]
    }

    #[inline]
    fn cell_mut(&mut self, index: u32) -> &mut Cell<T> {
        &mut self.pages[page_of(index)].cells[cell_of(index)]
    }

    /// The cell of `key`, or nothing if its entry is gone.
    #[inline]
    fn find(&self, key: Key) -> Option<&Cell<T>> {
        let page = self.pages.get(page_of(key.index))?;
        let cell = page.cells.get(cell_of(key.index))?;
        (cell.stamp == key.stamp).then_some(cell)
    }

    #[inline]
    pub(super) fn get_mut(&mut self, key: Key) -> Option<&mut T> {
        self.find(key)?;
        self.cell_mut(key.index).value.as_mut()
    }

    /// Puts an entry into a cell and the cell at the end of `list`: at each wait, by one of two callers.
    #[inline(always)]
    pub(super) fn insert(&mut self, list: &mut List, deadline: u64, value: T) -> Key {
        if self.free == NIL {
            self.add_page();
        }
        let index = self.free;
        self.stamps += 1;
        let stamp = self.stamps;
        let tail = mem::replace(&mut list.tail, index);
        let page = &mut self.pages[page_of(index)];
        self.empty_pages -= usize::from(page.occupied == 0);
        page.occupied += 1;
        let cell = &mut page.cells[cell_of(index)];
        self.free = cell.next;
        cell.stamp = stamp;
        cell.deadline = deadline;
        cell.prev = tail;
        cell.next = NIL;
        cell.value = Some(value);
        if tail == NIL {
            list.head = index;
        } else {
            self.cell_mut(tail).next = index;
        }
        self.len += 1;
        Key { index, stamp }
    }

    /// Takes an entry out of its cell, and leaves a gap in its list, for
    /// [`close`](Self::close).
    #[inline]
    pub(super) fn take(&mut self, key: Key) -> Option<(T, Gap)> {
        self.find(key)?;
        self.vacate(key.index)
    }

    /// Closes the gap in the list in which it was left.
    #[inline]
    pub(super) fn close(&mut self, list: &mut List, gap: &Gap) {
        if gap.prev == NIL {
            list.head = gap.next;
        } else {
            self.cell_mut(gap.prev).next = gap.next;
        }
        if gap.next == NIL {
            list.tail = gap.prev;
        } else {
            self.cell_mut(gap.next).prev = gap.prev;
        }
    }

    /// Takes the oldest entry out of `list`.
    #[inline]
    pub(super) fn pop_front(&mut self, list: &mut List) -> Option<T> {
        if list.head == NIL {
            return None;
        }
        let (value, gap) = self.vacate(list.head)?;
        self.close(list, &gap);
        Some(value)
    }

    /// Unlinks the oldest entry of `list` without emptying its cell; it is for
    /// [`relink`](Self::relink) at once.
    #[inline]
    pub(super) fn unlink_front(&mut self, list: &mut List) -> Option<(u32, u64)> {
        let index = list.head;
        if index == NIL {
            return None;
        }
        let cell = self.cell(index);
        let gap = Gap {
            deadline: cell.deadline,
            prev: NIL,
            next: cell.next,
        };
        self.close(list, &gap);
        Some((index, gap.deadline))
    }

    /// Links an entry that [`unlink_front`](Self::unlink_front) gave into `list`.
    #[inline]
    pub(super) fn relink(&mut self, list: &mut List, index: u32) {
        self.push_back(list, index);
    }

    /// The two earliest deadlines in `list`, `u64::MAX` for one that is not there, or
    /// `None` if that takes more than `steps` to find out.
    pub(super) fn two_earliest(&self, list: List, steps: usize) -> Option<(u64, u64)> {
        let (mut first, mut second) = (u64::MAX, u64::MAX);
        let mut index = list.head;
        for _ in 0..steps {
            if index == NIL {
                break;
            }
            let cell = self.cell(index);
            second = second.min(cell.deadline.max(first));
            first = first.min(cell.deadline);
            index = cell.next;
        }
        (index == NIL).then_some((first, second))
    }

    #[inline]
    fn push_back(&mut self, list: &mut List, index: u32) {
        let tail = list.tail;
        let cell = self.cell_mut(index);
        cell.prev = tail;
        cell.next = NIL;
        if tail == NIL {
            list.head = index;
        } else {
            self.cell_mut(tail).next = index;
        }
        list.tail = index;
    }

    fn unlink_free(&mut self, index: u32) {
        let cell = self.cell(index);
        let (prev, next) = (cell.prev, cell.next);
        if self.free == index {
            self.free = next;
        } else {
            self.cell_mut(prev).next = next;
        }
        if next != NIL {
            self.cell_mut(next).prev = prev;
        }
    }

    /// Last freed is first used: its memory is still in the cache.
    #[inline]
    fn push_free(&mut self, index: u32) {
        let head = self.free;
        self.cell_mut(index).next = head;
        if head != NIL {
            self.cell_mut(head).prev = index;
        }
        self.free = index;
    }

    /// Empties a cell whose list has a gap there from now on; it is free at once.
    #[inline(always)]
    fn vacate(&mut self, index: u32) -> Option<(T, Gap)> {
        let page = &mut self.pages[page_of(index)];
        let cell = &mut page.cells[cell_of(index)];
        let gap = Gap {
            deadline: cell.deadline,
            prev: cell.prev,
            next: cell.next,
        };
        cell.stamp = VACANT;
        let value = cell.value.take();
        page.occupied -= 1;
        let is_empty = page.occupied == 0;
        self.len -= 1;
        self.push_free(index);
        if is_empty {
            self.emptied(page_of(index));
        }
        Some((value?, gap))
    }

    #[inline]
    fn emptied(&mut self, page: usize) {
        self.empty_pages += 1;
        if self.empty_pages > 1 {
            self.free_page(page);
        }
    }

    #[cold]
    fn add_page(&mut self) {
        let number = self.gone.pop().unwrap_or_else(|| {
            self.pages.push(Page {
                cells: Vec::new(),
                occupied: 0,
            });
            self.pages.len() - 1
        });
        let first = u32::try_from(number << PAGE_BITS).expect("fewer than 2^32 timers");
        self.pages[number].cells = (0..PAGE)
            .map(|_| Cell {
                stamp: VACANT,
                deadline: 0,
                prev: NIL,
                next: NIL,
                value: None,
            })
            .collect();
        self.empty_pages += 1;
        // In reverse, so that cells are used in the order of their addresses.
        for index in (first..first + PAGE as u32).rev() {
            self.push_free(index);
        }
    }

    #[cold]
    fn free_page(&mut self, number: usize) {
        let first = (number << PAGE_BITS) as u32;
        for index in first..first + PAGE as u32 {
            self.unlink_free(index);
        }
        self.pages[number].cells = Vec::new();
        self.empty_pages -= 1;
        self.gone.push(number);
    }
}
