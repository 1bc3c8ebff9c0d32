//! How a recorder is given to a runtime.

use wakeline_executor::trace::Recorder;

use super::Builder;

impl Builder {
    /// Has what the tasks do written down, from their spawn to their end; see
    /// [`trace`](crate::trace).
    ///
    /// With one worker the events are timed by the runtime's clock, so that with
    /// [time paused](Builder::start_paused) a record is the same each time.
    ///
    /// # Example
    ///
    /// ```
    /// use std::time::Duration;
    /// use wakeline::{Runtime, time, trace::Recorder};
    ///
    /// let recorder = Recorder::new(1_000);
    /// let runtime = Runtime::builder().start_paused(true).recorder(&recorder).build()?;
    /// runtime.block_on(async { time::sleep(Duration::from_secs(60)).await });
    /// assert_eq!(recorder.timeline().length(), Duration::from_secs(60));
    /// # Ok::<(), std::io::Error>(())
    /// ```
    pub fn recorder(mut self, recorder: &Recorder) -> Builder {
        self.executor = self.executor.recorder(recorder);
        self
    }
}
