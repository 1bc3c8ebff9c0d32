//! Blocking jobs that each submit the next: those that are over leave nothing behind.

mod support;

use support::{alloc, for_each_backend};
use wakeline::spawn_blocking;
use wakeline::sync::oneshot;

#[global_allocator]
static ALLOCATOR: alloc::Watching = alloc::Watching;

/// When those that come only once have come: threads, and what they keep.
const WARM: usize = 500;
const JOBS: usize = 5_000;

/// The `nth` job; the last tells how many blocks of memory there are more than were
/// `before`.
fn tick(nth: usize, before: usize, tell: oneshot::Sender<usize>) {
    let before = if nth == WARM { alloc::small() } else { before };
    if nth == JOBS {
        let _ = tell.send(alloc::small().saturating_sub(before));
    } else {
        drop(spawn_blocking(move || tick(nth + 1, before, tell)));
    }
}

#[test]
fn a_chain_of_jobs_grows_no_chain_of_nodes() {
    for_each_backend(|backend| {
        let more = backend.runtime(1).block_on(async {
            let (tell, told) = oneshot::channel();
            drop(spawn_blocking(|| tick(1, 0, tell)));
            told.await.expect("the last tells")
        });
        assert!(more < 200, "{more} blocks more after {JOBS} jobs");
    });
}
