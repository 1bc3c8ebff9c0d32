//! Files: what a user sees of `wakeline::fs::File`.

mod support;

use std::path::PathBuf;
use std::{env, fs, io};

use support::{Backend, for_each_backend};
use wakeline::fs::File;

/// A directory of the test's own, gone with the value.
struct Scratch(PathBuf);

impl Scratch {
    fn new(name: &str) -> Scratch {
        let path = env::temp_dir().join(format!("wakeline-fs-{}-{name}", std::process::id()));
        fs::create_dir_all(&path).expect("the temporary directory is writable");
        Scratch(path)
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

/// Runs `test` in a task on io_uring and epoll, with one worker and with two.
#[track_caller]
fn on_every_runtime<F>(name: &str, test: impl Fn(Backend, PathBuf) -> F)
where
    F: Future<Output = io::Result<()>> + Send + 'static,
{
    for_each_backend(|backend| {
        for workers in [1, 2] {
            let scratch = Scratch::new(&format!("{name}-{}-{workers}", backend.name()));
            let runtime = backend.runtime(workers);
            let task = test(backend, scratch.0.clone());
            let done = runtime.block_on(async { wakeline::spawn(task).await });
            done.expect("no panic").unwrap_or_else(|error| {
                panic!("on {} with {workers} workers: {error}", backend.name())
            });
        }
    });
}

#[test]
fn what_is_written_at_an_offset_is_read_there() {
    on_every_runtime("positional", async |_, dir| {
        let file = File::create_new(dir.join("file")).await?;
        assert_eq!(file.write_at(b"world", 6).await?, 5);
        assert_eq!(file.write_at(b"hello ", 0).await?, 6);
        let (n, buf) = file.write_at_owned(b"!".to_vec(), 11).await;
        assert_eq!((n?, buf), (1, b"!".to_vec()));
        file.sync_all().await?;
        file.sync_data().await?;
        let mut buf = [0; 32];
        let n = file.read_at(&mut buf, 0).await?;
        assert_eq!(&buf[..n], b"hello world!");
        let (n, buf) = file.read_at_owned(Vec::with_capacity(5), 6).await;
        assert_eq!((n?, &buf[..]), (5, &b"world"[..]));
        assert_eq!(file.read_at(&mut [0; 8], 12).await?, 0, "the end");
        assert_eq!(file.read_at(&mut [], 0).await?, 0, "nothing");
        assert_eq!(file.metadata().await?.len(), 12);
        file.set_len(5).await?;
        assert_eq!(file.metadata().await?.len(), 5);
        file.allocate(0, 4096).await?;
        assert_eq!(file.metadata().await?.len(), 4096);
        file.close().await
    });
}
