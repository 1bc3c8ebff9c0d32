use super::*;

fn waiting<T>() -> (Shared<T>, Job<T>, OffloadFuture<T>) {
    let shared = Arc::new(Lock::new(State::Waiting(None)));
    let job = Job(Some(Arc::clone(&shared)));
    let future = OffloadFuture {
        shared: Arc::clone(&shared),
        location: Location::caller(),
    };
    (shared, job, future)
}

#[cfg(not(loom))]
#[test]
fn a_job_that_is_dropped_unrun_says_so() {
    let (_, job, future) = waiting::<()>();
    drop(job);
    let mut cx = Context::from_waker(Waker::noop());
    let Poll::Ready(Err(error)) = future.look(&mut cx) else {
        panic!("nobody will run it")
    };
    assert!(error.to_string().contains("did not run the job"));
}

#[cfg(loom)]
mod models {
    use super::*;
    use loom::thread;
    use std::sync::atomic::{AtomicUsize, Ordering};
    use std::task::Wake;

    struct Count(AtomicUsize);

    impl Wake for Count {
        fn wake(self: Arc<Self>) {
            self.0.fetch_add(1, Ordering::SeqCst);
        }
    }

    /// A poll that races with the job's end takes the result, or is woken.
    #[test]
    fn loom_a_poll_that_races_with_the_job_is_ready_or_woken() {
        loom::model(|| {
            let (_, job, future) = waiting();
            let pool = thread::spawn(move || job.run(|| 7).into_iter().for_each(Waker::wake));
            let count = Arc::new(Count(AtomicUsize::new(0)));
            let waker = Waker::from(Arc::clone(&count));
            let mut cx = Context::from_waker(&waker);
            let early = future.look(&mut cx);
            pool.join().unwrap();
            if early.is_pending() {
                assert_eq!(count.0.load(Ordering::SeqCst), 1);
                assert!(future.look(&mut cx).is_ready());
            }
        });
    }
}
