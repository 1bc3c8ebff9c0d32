//! Locks of files.

use std::cell::Cell;
use wakeline_net::fs::File;
use wakeline_net::testing::{Scratch, both, on_each_driver};

#[test]
fn who_locks_again_and_again_gives_way() {
    on_each_driver(|| async {
        let dir = Scratch::new();
        let file = File::create(dir.join("lock")).await?;
        let enough = Cell::new(false);
        let locks = async {
            while !enough.get() {
                file.lock().await?;
                file.unlock()?;
            }
            std::io::Result::Ok(())
        };
        both(locks, async { enough.set(true) }).await.0
    });
}
