//! The tree against a table of all nodes, searched from end to end.

use crate::cancel::{Cancelled, Node};
use crate::testing::poll;
use proptest::prelude::*;
use std::time::{Duration, Instant};

#[derive(Clone, Debug)]
enum Step {
    Child { of: usize, shielded: bool },
    Drop(usize),
    Cancel(usize),
    Shield(usize, bool),
    Deadline(usize, Option<u64>),
    Due(usize, u64),
}

fn step() -> impl Strategy<Value = Step> {
    let node = 0..64_usize;
    prop_oneof![
        4 => (node.clone(), prop::bool::weighted(0.2))
            .prop_map(|(of, shielded)| Step::Child { of, shielded }),
        1 => node.clone().prop_map(Step::Drop),
        1 => node.clone().prop_map(Step::Cancel),
        2 => (node.clone(), any::<bool>()).prop_map(|(n, on)| Step::Shield(n, on)),
        2 => (node.clone(), prop::option::of(0..20_u64)).prop_map(|(n, at)| Step::Deadline(n, at)),
        1 => (node, 0..20_u64).prop_map(|(n, now)| Step::Due(n, now)),
    ]
}

#[derive(Debug, Default)]
struct Row {
    parent: Option<usize>,
    shielded: bool,
    deadline: Option<u64>,
    reason: Option<String>,
}

/// The dull and right one.
#[derive(Debug)]
struct Table(Vec<Row>);

impl Table {
    fn child(&mut self, of: usize, shielded: bool) {
        let reason = self.0[of].reason.clone().filter(|_| !shielded);
        self.0.push(Row {
            parent: Some(of),
            shielded,
            deadline: None,
            reason,
        });
    }

    fn cancel(&mut self, node: usize, reason: &str) {
        if self.0[node].reason.is_some() {
            return;
        }
        self.0[node].reason = Some(reason.to_owned());
        for below in 0..self.0.len() {
            if self.0[below].parent == Some(node) && !self.0[below].shielded {
                self.cancel(below, reason);
            }
        }
    }

    fn shield(&mut self, node: usize, shielded: bool) {
        self.0[node].shielded = shielded;
        let above = self.0[node].parent.and_then(|p| self.0[p].reason.clone());
        if let Some(reason) = above.filter(|_| !shielded) {
            self.cancel(node, &reason);
        }
    }

    /// The node and those above it, up to the first shield.
    fn path(&self, node: usize) -> Vec<usize> {
        let mut path = vec![node];
        while let Some(last) = path.last().copied()
            && !self.0[last].shielded
            && let Some(parent) = self.0[last].parent
        {
            path.push(parent);
        }
        path
    }

    fn effective(&self, node: usize) -> Option<u64> {
        let path = self.path(node);
        path.into_iter().filter_map(|n| self.0[n].deadline).min()
    }

    fn due(&mut self, node: usize, now: u64) -> bool {
        if self.0[node].reason.is_none() {
            let due = |n: &usize| self.0[*n].deadline.is_some_and(|at| at <= now);
            if let Some(outermost) = self.path(node).into_iter().rev().find(due) {
                self.cancel(outermost, "the deadline passed");
            }
        }
        self.0[node].reason.is_some()
    }
}

proptest! {
    #[test]
    fn it_does_what_the_table_says(steps in prop::collection::vec(step(), 1..80)) {
        let start = Instant::now();
        let at = |secs| start + Duration::from_secs(secs);
        let root = Node::root();
        let mut nodes: Vec<Option<(Node, Cancelled)>> = vec![Some((root.clone(), root.cancelled()))];
        let mut table = Table(vec![Row::default()]);
        for (number, step) in steps.into_iter().enumerate() {
            // The step's node, if its handle is still there.
            let (Step::Child { of: node, .. } | Step::Drop(node) | Step::Cancel(node)
                | Step::Shield(node, _) | Step::Deadline(node, _) | Step::Due(node, _)) = &step;
            let index = node % nodes.len();
            let Some((node, _)) = &nodes[index] else { continue };
            match step {
                Step::Child { shielded, .. } => {
                    let child = if shielded { node.shielded_child() } else { node.child() };
                    let wait = child.cancelled();
                    nodes.push(Some((child, wait)));
                    table.child(index, shielded);
                }
                Step::Drop(_) => nodes[index] = None,
                Step::Cancel(_) => {
                    let reason = format!("step {number}");
                    let open = table.0[index].reason.is_none();
                    prop_assert_eq!(node.cancel(reason.clone().into()), open);
                    table.cancel(index, &reason);
                }
                Step::Shield(_, on) => {
                    node.set_shielded(on);
                    table.shield(index, on);
                }
                Step::Deadline(_, deadline) => {
                    node.set_deadline(deadline.map(at));
                    if table.0[index].reason.is_none() {
                        table.0[index].deadline = deadline;
                    }
                }
                Step::Due(_, now) => {
                    prop_assert_eq!(node.cancel_due(at(now)), table.due(index, now));
                }
            }
            for (index, entry) in nodes.iter_mut().enumerate() {
                let Some((node, wait)) = entry else { continue };
                let row = &table.0[index];
                let reason = node.reason().map(|reason| reason.text().to_owned());
                prop_assert_eq!(&reason, &row.reason, "node {}", index);
                prop_assert_eq!(poll(wait).is_ready(), row.reason.is_some());
                if row.reason.is_none() {
                    prop_assert_eq!(node.effective_deadline(), table.effective(index).map(at));
                }
            }
        }
    }
}
