//! Events put in order: the life of each task, as one span after the other.

use std::collections::HashMap;
use std::panic::Location;
use std::sync::Arc;
use std::time::Duration;

use wakeline_context::WaitingOn;

use super::{End, Event, What, WokenBy};

/// What the tasks of a record did; see [`Recorder::timeline`](super::Recorder::timeline).
///
/// All times count from the first event that the recorder was told of.
#[derive(Clone, Debug, Default)]
#[non_exhaustive]
pub struct Timeline {
    /// The tasks, in the order in which they appear.
    pub tasks: Vec<TaskLine>,
    /// When the first event is that is still known.
    pub start: Duration,
    /// When the last event is. What was not over then is drawn up to here.
    pub end: Duration,
    /// How many events were forgotten before `start`. Of a task that is older the
    /// beginning is missing, and perhaps its name.
    pub dropped: u64,
}

/// The life of one task.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct TaskLine {
    /// Its [`Id`](crate::task::Id) as a number.
    pub id: u64,
    /// Its name, if it was given one.
    pub name: Option<Arc<str>>,
    /// It is no task but the future of a `block_on`.
    pub is_root: bool,
    /// The line that spawned it, or called `block_on`; nothing if that is forgotten.
    pub spawned_at: Option<&'static Location<'static>>,
    /// The task that spawned it; nothing if that was done from outside, or is
    /// forgotten.
    pub spawned_by: Option<u64>,
    /// When it was spawned, unless that is forgotten.
    pub created: Option<Duration>,
    /// What it did, without gaps.
    pub spans: Vec<Span>,
    /// When and how it ended, if it has.
    pub ended: Option<(Duration, End)>,
}

/// A while in which a task did the same.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Span {
    /// When it began.
    pub from: Duration,
    /// When it was over; in a standstill of time that is the same moment.
    pub to: Duration,
    /// What the task did.
    pub state: State,
}

/// What a task does in a [`Span`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum State {
    /// It is in a run queue.
    #[non_exhaustive]
    Queued {
        /// Who woke it; nothing if it was spawned.
        woken_by: Option<WokenBy>,
    },
    /// It is polled, or dropped after the last poll.
    #[non_exhaustive]
    Running {
        /// On which worker, if on one.
        worker: Option<usize>,
    },
    /// It waits to be woken.
    #[non_exhaustive]
    Waiting {
        /// For what, as far as the future has told.
        on: Option<WaitingOn>,
    },
}

impl Timeline {
    pub(super) fn new(mut events: Vec<Event>, dropped: u64) -> Timeline {
        // Two threads read the clock and then write down: in between they may
        // change places. What is the cause of another stays before it.
        events.sort_by_key(|event| event.at);
        let mut timeline = Timeline {
            start: events.first().map_or(Duration::ZERO, |event| event.at),
            end: events.last().map_or(Duration::ZERO, |event| event.at),
            dropped,
            tasks: Vec::new(),
        };
        let mut places: HashMap<u64, usize> = HashMap::new();
        // Who was woken in the midst of a poll, and is queued at its end.
        let mut woken: HashMap<u64, WokenBy> = HashMap::new();
        for event in events {
            let place = *places.entry(event.task).or_insert_with(|| {
                timeline.tasks.push(TaskLine::new(event.task));
                timeline.tasks.len() - 1
            });
            timeline.tasks[place].add(event, &mut woken);
        }
        for task in &mut timeline.tasks {
            if task.ended.is_none() {
                task.close(timeline.end);
            }
        }
        timeline
    }

    /// The first task of this name.
    #[must_use]
    pub fn task(&self, name: &str) -> Option<&TaskLine> {
        let is_it = |task: &&TaskLine| task.name.as_deref() == Some(name);
        self.tasks.iter().find(is_it)
    }

    /// From the first event that is known to the last.
    #[must_use]
    pub fn length(&self) -> Duration {
        self.end.saturating_sub(self.start)
    }
}

impl TaskLine {
    fn new(id: u64) -> TaskLine {
        TaskLine {
            id,
            name: None,
            is_root: false,
            spawned_at: None,
            spawned_by: None,
            created: None,
            spans: Vec::new(),
            ended: None,
        }
    }

    fn add(&mut self, event: Event, woken: &mut HashMap<u64, WokenBy>) {
        let at = event.at;
        match event.what {
            What::Created {
                name,
                spawned_at,
                by,
                is_root,
            } => {
                self.name = name;
                self.is_root = is_root;
                self.spawned_at = Some(spawned_at);
                self.spawned_by = by;
                self.created = Some(at);
                self.enter(at, State::Queued { woken_by: None });
            }
            What::PollStart { worker } => self.enter(at, State::Running { worker }),
            What::PollEnd {
                pending: true,
                waiting_on,
            } => {
                self.enter(at, State::Waiting { on: waiting_on });
                if let Some(by) = woken.remove(&self.id) {
                    self.enter(at, State::Queued { woken_by: Some(by) });
                }
            }
            // Its future is dropped now; `Ended` follows.
            What::PollEnd { pending: false, .. } => {}
            What::Woken { by } => match self.spans.last().map(|span| span.state) {
                Some(State::Running { .. }) => drop(woken.insert(self.id, by)),
                // Two wakes met: the first one counts.
                Some(State::Queued { .. }) => {}
                Some(State::Waiting { .. }) | None => {
                    self.enter(at, State::Queued { woken_by: Some(by) });
                }
            },
            What::Ended { how } => {
                self.close(at);
                self.ended = Some((at, how));
            }
        }
    }

    fn enter(&mut self, at: Duration, state: State) {
        self.close(at);
        self.spans.push(Span {
            from: at,
            to: at,
            state,
        });
    }

    /// Ends the last span.
    fn close(&mut self, at: Duration) {
        if let Some(last) = self.spans.last_mut() {
            last.to = at;
        }
    }

    /// How long it has lived, as far as that is known.
    #[must_use]
    pub fn lived(&self) -> Duration {
        match (self.spans.first(), self.spans.last()) {
            (Some(first), Some(last)) => last.to.saturating_sub(first.from),
            _ => Duration::ZERO,
        }
    }

    /// How often it was polled.
    #[must_use]
    pub fn polls(&self) -> usize {
        let is_poll = |span: &&Span| matches!(span.state, State::Running { .. });
        self.spans.iter().filter(is_poll).count()
    }

    /// Who has woken it, one after the other.
    pub fn wakes(&self) -> impl Iterator<Item = WokenBy> {
        self.spans.iter().filter_map(|span| match span.state {
            State::Queued { woken_by } => woken_by,
            _ => None,
        })
    }

    /// What it waited for, one after the other, as far as the futures have told.
    pub fn waits(&self) -> impl Iterator<Item = WaitingOn> {
        self.spans.iter().filter_map(|span| match span.state {
            State::Waiting { on } => on,
            _ => None,
        })
    }

    /// What a line of it begins with: its name, or what it is, and its id.
    pub(super) fn title(&self) -> String {
        match &self.name {
            Some(name) => format!("{} #{}", visible(name), self.id),
            None if self.is_root => format!("block_on #{}", self.id),
            None => format!("#{}", self.id),
        }
    }
}

/// Text in a line of its own: a line break or an escape code is spelled out.
pub(super) fn visible(text: &str) -> String {
    let mut line = String::new();
    for char in text.chars() {
        match char {
            '"' | '\'' | '\\' => line.push(char),
            other => line.extend(other.escape_debug()),
        }
    }
    line
}
