//! Where events are kept: a ring under a lock, the oldest give way.

use std::collections::VecDeque;
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use super::{Event, Timeline, What};

/// Keeps the latest events of the executors that it was given to.
///
/// Clones are handles of the same record. It holds no more events than its
/// capacity, each of about a hundred bytes; for what there is no room any more it
/// forgets the oldest, and [counts](Recorder::dropped) them.
///
/// # Example
///
/// ```
/// use wakeline_executor::trace::Recorder;
/// use wakeline_executor::{Executor, yield_now};
///
/// let recorder = Recorder::new(4);
/// let executor = Executor::builder().workers(1).recorder(&recorder).build()?;
/// executor.block_on(async {
///     for _ in 0..10 {
///         yield_now().await;
///     }
/// });
/// assert_eq!(recorder.events().len(), 4);
/// assert!(recorder.dropped() > 20);
/// # Ok::<(), std::io::Error>(())
/// ```
#[derive(Clone)]
pub struct Recorder(Arc<Inner>);

struct Inner {
    capacity: usize,
    ring: Mutex<Ring>,
}

#[derive(Default)]
struct Ring {
    /// When the first event was, ever: the moment that all are counted from.
    origin: Option<Instant>,
    events: VecDeque<Event>,
    dropped: u64,
}

impl Recorder {
    /// A record of at most so many events; with zero it only counts.
    #[must_use]
    pub fn new(capacity_events: usize) -> Recorder {
        Recorder(Arc::new(Inner {
            capacity: capacity_events,
            ring: Mutex::default(),
        }))
    }

    /// What the tasks did, as far as it is still known.
    #[must_use]
    pub fn timeline(&self) -> Timeline {
        let (events, dropped) = {
            let ring = self.lock();
            (ring.events.iter().cloned().collect(), ring.dropped)
        };
        Timeline::new(events, dropped)
    }

    /// The events that are kept, the oldest first. Those of two threads may
    /// change places by the time between reading the clock and writing down.
    #[must_use]
    pub fn events(&self) -> Vec<Event> {
        self.lock().events.iter().cloned().collect()
    }

    /// How many events were forgotten, as there was no room.
    #[must_use]
    pub fn dropped(&self) -> u64 {
        self.lock().dropped
    }

    /// Forgets all events, and how many there were. What is recorded from here
    /// on still counts from the same moment.
    pub fn clear(&self) {
        let events = {
            let mut ring = self.lock();
            ring.dropped = 0;
            std::mem::take(&mut ring.events)
        };
        drop(events);
    }

    /// Writes an event down, which happened at `now`.
    pub(super) fn record(&self, now: Instant, task: u64, what: What) {
        let mut ring = self.lock();
        let origin = *ring.origin.get_or_insert(now);
        let event = Event {
            at: now.saturating_duration_since(origin),
            task,
            what,
        };
        // Dropped after the lock is released, whether it is the new one or the oldest.
        let gone = if self.0.capacity == 0 {
            Some(event)
        } else {
            let full = ring.events.len() >= self.0.capacity;
            let oldest = full.then(|| ring.events.pop_front()).flatten();
            ring.events.push_back(event);
            oldest
        };
        if gone.is_some() {
            ring.dropped += 1;
        }
        drop(ring);
        drop(gone);
    }

    fn lock(&self) -> MutexGuard<'_, Ring> {
        // No foreign code runs under the lock.
        self.0.ring.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl fmt::Debug for Recorder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let ring = self.lock();
        f.debug_struct("Recorder")
            .field("capacity", &self.0.capacity)
            .field("events", &ring.events.len())
            .field("dropped", &ring.dropped)
            .finish()
    }
}
