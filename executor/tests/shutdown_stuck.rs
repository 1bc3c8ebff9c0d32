//! A worker that does not leave is in the report of the shutdown, and no other.

use std::io;
use std::sync::{Arc, Mutex, mpsc};
use std::time::Duration;

use wakeline_executor::{Driver, Executor, Interrupt, ParkDriver};

#[test]
fn a_worker_that_is_stuck_in_a_poll_is_counted_and_no_other() {
    let executor = Executor::builder().workers(3).build().unwrap();
    let (begin, begun) = mpsc::channel();
    let (end, over) = mpsc::channel::<()>();
    let task = executor.spawn(async move {
        begin.send(()).unwrap();
        let _ended = over.recv();
    });
    begun.recv().unwrap();
    let report = executor.shutdown(Duration::ZERO);
    assert_eq!((report.cut_off.len(), report.stuck_workers), (1, 1));
    assert!(!report.is_clean());
    drop(end);
    task.blocking_join(None)
        .expect("no limit")
        .expect("it went on to its end");
}

/// Its turn lasts until somebody lets it go, as one does that calls a foreign waker.
struct Kept {
    park: ParkDriver,
    begin: mpsc::Sender<()>,
    over: mpsc::Receiver<()>,
}

impl Driver for Kept {
    fn turn(&mut self, limit: Option<Duration>) -> io::Result<()> {
        let _nobody_asks = self.begin.send(());
        let _ended = self.over.recv();
        self.park.turn(limit)
    }

    fn interrupt(&self) -> Arc<dyn Interrupt> {
        self.park.interrupt()
    }
}

#[test]
fn a_worker_that_does_not_come_back_from_its_turn_is_counted() {
    let (begin, begun) = mpsc::channel();
    let (end, over) = mpsc::channel();
    let over = Mutex::new(Some(over));
    let executor = Executor::builder()
        .workers(2)
        .driver(move |worker| {
            let park = ParkDriver::new();
            let mut over = over.lock().unwrap();
            match over.take_if(|_| worker == 0) {
                Some(over) => Ok(Box::new(Kept {
                    park,
                    begin: begin.clone(),
                    over,
                })),
                None => Ok(Box::new(park)),
            }
        })
        .build()
        .unwrap();
    begun.recv().unwrap();
    let report = executor.shutdown(Duration::ZERO);
    assert_eq!((report.cut_off.len(), report.stuck_workers), (0, 1));
    assert!(!report.is_clean());
    drop(end);
}
