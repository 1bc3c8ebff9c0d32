//! The task list, for people: who is there, in which state, waiting for what.
//!
//! Everything in it is known without debug mode but the futures of `block_on`,
//! which are no tasks: those are written down in debug mode only.

use std::collections::HashMap;
use std::fmt;
use std::panic::Location;
use std::sync::{Mutex, MutexGuard, PoisonError};

use slab::Slab;
use wakeline_context::{Kind, WaitingOn};

use crate::task::{Id, TaskInfo, TaskState};

/// What runs on an executor, each task at some moment; see
/// [`Handle::dump`](crate::Handle::dump).
///
/// Its `Display` is a table with a line for each.
///
/// # Example
///
/// ```
/// use wakeline_executor::{Executor, Handle, JoinHandle, spawn, yield_now};
///
/// let executor = Executor::builder().workers(1).build()?;
/// executor.block_on(async {
///     // Two that wait for each other's end.
///     let (give, given) = std::sync::mpsc::channel::<JoinHandle<()>>();
///     let one = spawn(async move { drop(given.recv().unwrap().await) });
///     give.send(spawn(async move { drop(one.await) })).unwrap();
///     yield_now().await;
///     let dump = Handle::current().dump();
///     assert_eq!(dump.cycles()[0].tasks.len(), 2);
///     println!("{dump}");
/// });
/// # Ok::<(), std::io::Error>(())
/// ```
#[derive(Clone, Debug, Default)]
#[non_exhaustive]
pub struct Dump {
    /// The tasks that are not complete, in the order of their ids.
    pub tasks: Vec<TaskInfo>,
    /// Those of the cleanup lane.
    pub cleanups: Vec<TaskInfo>,
    /// Jobs of [`spawn_blocking`](crate::spawn_blocking).
    pub blocking: Vec<TaskInfo>,
    /// The futures of the `block_on`s; in debug mode only.
    pub roots: Vec<TaskInfo>,
}

impl Dump {
    /// Tasks that wait for each other in a circle, by a join or for a mutex.
    ///
    /// A task shows one thing that it waits for. If it waits for one of several,
    /// or the mutex has changed hands since it began to wait, then a circle need
    /// not be a deadlock; a deadlock of joins and mutexes always is a circle.
    #[must_use]
    pub fn cycles(&self) -> Vec<Cycle> {
        let edges: HashMap<u64, u64> = self.all().filter_map(edge).collect();
        let mut cycles: Vec<Cycle> = Vec::new();
        let mut seen: HashMap<u64, u64> = HashMap::new();
        let mut starts: Vec<u64> = edges.keys().copied().collect();
        starts.sort_unstable();
        for &start in &starts {
            // Each has one way on: follow it until it ends or comes back.
            let mut at = start;
            while !seen.contains_key(&at) {
                seen.insert(at, start);
                match edges.get(&at) {
                    Some(&next) => at = next,
                    None => break,
                }
            }
            if seen[&at] == start && edges.contains_key(&at) {
                let round = std::iter::successors(Some(at), |task| {
                    let next = edges[task];
                    (next != at).then_some(next)
                });
                cycles.push(Cycle {
                    tasks: round.collect(),
                });
            }
        }
        cycles
    }

    fn all(&self) -> impl Iterator<Item = &TaskInfo> {
        let [tasks, cleanups, blocking, roots] =
            [&self.tasks, &self.cleanups, &self.blocking, &self.roots];
        tasks.iter().chain(cleanups).chain(blocking).chain(roots)
    }
}

/// Whom a task waits for, if that is another one, or itself.
fn edge(task: &TaskInfo) -> Option<(u64, u64)> {
    let waiting = task.waiting_on.filter(|_| task.state == TaskState::Idle)?;
    matches!(waiting.kind, Kind::Join | Kind::Mutex).then_some((task.id.get(), waiting.id))
}

/// Tasks each of which waits for the next one, and the last for the first.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Cycle {
    /// Their ids; one alone waits for itself.
    pub tasks: Vec<u64>,
}

impl fmt::Display for Cycle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for task in &self.tasks {
            write!(f, "#{task} waits for ")?;
        }
        match self.tasks[..] {
            [_] => f.write_str("itself"),
            _ => write!(f, "#{}", self.tasks[0]),
        }
    }
}

impl fmt::Display for Dump {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let parts = [
            ("tasks", &self.tasks),
            ("cleanups", &self.cleanups),
            ("blocking jobs", &self.blocking),
            ("block_on", &self.roots),
        ];
        for (nth, (what, tasks)) in parts.into_iter().enumerate() {
            if nth > 0 && tasks.is_empty() {
                continue;
            }
            writeln!(f, "{what}: {}", tasks.len())?;
            for task in tasks {
                writeln!(f, "  {task}")?;
            }
        }
        for cycle in self.cycles() {
            writeln!(f, "in a circle: {cycle}")?;
        }
        Ok(())
    }
}

/// The futures of the `block_on`s that run now; in debug mode only.
#[derive(Default)]
pub(crate) struct Roots(Mutex<Slab<TaskInfo>>);

impl Roots {
    /// Writes one down, until the guard is dropped.
    pub(crate) fn enter(&self, id: Id, at: &'static Location<'static>) -> EnteredRoot<'_> {
        let info = TaskInfo {
            id,
            name: None,
            state: TaskState::Queued,
            started: false,
            spawned_at: at,
            waiting_on: None,
        };
        EnteredRoot {
            roots: self,
            key: self.lock().insert(info),
        }
    }

    pub(crate) fn infos(&self) -> Vec<TaskInfo> {
        self.lock().iter().map(|(_, root)| root.clone()).collect()
    }

    fn lock(&self) -> MutexGuard<'_, Slab<TaskInfo>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A future of a `block_on` that is written down.
pub(crate) struct EnteredRoot<'a> {
    roots: &'a Roots,
    key: usize,
}

impl EnteredRoot<'_> {
    /// It is being polled.
    pub(crate) fn polls(&self) {
        let root = &mut self.roots.lock()[self.key];
        root.state = TaskState::Running;
        root.started = true;
    }

    /// It is pending.
    pub(crate) fn waits(&self, waiting_on: Option<WaitingOn>) {
        let root = &mut self.roots.lock()[self.key];
        root.state = TaskState::Idle;
        root.waiting_on = waiting_on;
    }
}

impl Drop for EnteredRoot<'_> {
    fn drop(&mut self) {
        self.roots.lock().remove(self.key);
    }
}
