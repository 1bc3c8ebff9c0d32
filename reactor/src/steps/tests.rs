use super::*;

#[cfg(not(loom))]
mod unit {
    use super::*;

    /// Paused, auto-advance, quiet, who waits for quiet, targets, first
    /// deadline: the step.
    type Row = (bool, bool, bool, usize, &'static [u64], Option<u64>, Step);

    fn noop() -> Waker {
        Waker::noop().clone()
    }

    /// Steps with so many that wait for quiet, and these targets.
    fn steps(quiet: usize, targets: &[u64], auto: bool) -> Steps {
        let mut steps = Steps::default();
        steps.set_auto(auto);
        for target in targets {
            steps.wait_for_moment(*target, noop());
        }
        for _ in 0..quiet {
            steps.wait_for_quiet(noop());
        }
        steps
    }

    #[test]
    fn the_decision_is_as_drawn() {
        use Step::{Settle, Stay, To};
        let table: [Row; 16] = [
            // Time goes by itself: nothing but quiet counts.
            (false, true, true, 0, &[], Some(5), Stay),
            (false, true, true, 1, &[], Some(5), Settle),
            (false, true, false, 1, &[], Some(5), Stay),
            // Nobody waits: to the first deadline, if it is quiet.
            (true, true, true, 0, &[], Some(5), To(5)),
            (true, true, false, 0, &[], Some(5), Stay),
            (true, true, true, 0, &[], None, Stay),
            (true, false, true, 0, &[], Some(5), Stay),
            // Quiet comes before any move.
            (true, true, true, 2, &[], Some(5), Settle),
            (true, true, true, 1, &[3], Some(5), Settle),
            (true, true, false, 1, &[], Some(5), Stay),
            // An advance: to its target, by way of each deadline, quiet or not.
            (true, true, false, 0, &[3], Some(5), To(3)),
            (true, true, false, 0, &[7], Some(5), To(5)),
            (true, false, false, 0, &[5], Some(5), To(5)),
            (true, true, true, 0, &[9, 4], None, To(4)),
            (true, true, false, 1, &[3], Some(5), To(3)),
            // Targets from before a resume are given up there; none is left.
            (false, true, true, 0, &[3], Some(5), Stay),
        ];
        for (row, (paused, auto, is_quiet, quiet, targets, first, step)) in table.iter().enumerate()
        {
            let steps = steps(*quiet, targets, *auto);
            assert_eq!(
                steps.decide(*paused, *first, || *is_quiet),
                *step,
                "row {row}"
            );
        }
    }

    #[test]
    fn quiet_is_asked_only_where_it_counts() {
        let never = || -> bool { panic!("asked") };
        assert_eq!(steps(0, &[], true).decide(true, None, never), Step::Stay);
        assert_eq!(
            steps(0, &[4], true).decide(true, Some(2), never),
            Step::To(2)
        );
        assert_eq!(
            steps(0, &[], false).decide(true, Some(2), never),
            Step::Stay
        );
    }

    #[test]
    fn who_waits_is_let_go_in_order_and_only_then() {
        let mut steps = steps(2, &[9, 4, 4], true);
        let mut out = Vec::new();
        steps.settle(&mut out);
        assert_eq!(out.drain(..).count(), 2);
        steps.arrive(3, &mut out);
        assert_eq!(out.len(), 0);
        steps.arrive(4, &mut out);
        assert_eq!(out.drain(..).count(), 2);
        assert!(!steps.is_empty());
        let dropped = steps.wait_for_moment(6, noop());
        assert!(steps.remove(dropped).is_some());
        assert!(steps.remove(dropped).is_none());
        steps.give_up(&mut out);
        assert_eq!(out.len(), 1);
        assert!(steps.is_empty());
    }
}

#[cfg(loom)]
mod models {
    use super::*;
    use crate::sync::atomic::Ordering::{Acquire, Relaxed, Release};
    use crate::sync::atomic::{AtomicBool, AtomicUsize};
    use loom::thread;
    use std::sync::Arc;

    /// The last job queues a task, notifies and ends. The worker looked for
    /// tasks before: time must not move as if there were none.
    #[test]
    fn loom_time_does_not_pass_over_what_a_job_woke() {
        struct Shared {
            queued: AtomicBool,
            parker: Parker,
            jobs: AtomicUsize,
        }
        loom::model(|| {
            let shared = Arc::new(Shared {
                queued: AtomicBool::new(false),
                parker: Parker::new(),
                jobs: AtomicUsize::new(1),
            });
            let job = thread::spawn({
                let shared = Arc::clone(&shared);
                move || {
                    shared.queued.store(true, Relaxed);
                    let _ = shared.parker.notify();
                    // The pool's lock, in short.
                    shared.jobs.fetch_sub(1, Release);
                }
            });
            let found = shared.queued.load(Relaxed);
            let quiet = is_quiet(&shared.parker, || shared.jobs.load(Acquire) > 0);
            assert!(found || !quiet, "it jumped over a task that is ready");
            job.join().unwrap();
        });
    }
}
