//! Files, pipes and children where a call is denied that the kernel here has: as a
//! sandbox says no (EPERM), as an older kernel does (ENOSYS), or as a file that knows no
//! call which does not wait (EOPNOTSUPP).

mod support;

use std::path::{Path, PathBuf};
use std::process::Command as StdCommand;
use std::{env, fs, io};

use support::child::example;
use support::drops::poll_once;
use support::for_each_backend;
use wakeline::fs::{File, OpenOptions};
use wakeline::io::{AsyncReadExt, AsyncSeekExt, AsyncWriteExt, SeekFrom};
use wakeline::process::{Command, Stdio};

/// Tells the inner test that it is run by another one, and where it may write.
const SCRATCH: &str = "WAKELINE_TEST_DENIED";

async fn files(dir: &Path) -> io::Result<()> {
    let path = dir.join("file");
    let mut file = File::create_new(&path).await?;
    file.write_all(b"hello world").await?;
    file.sync_all().await?;
    file.set_len(5).await?;
    assert_eq!(file.metadata().await?.len(), 5);
    assert_eq!(file.seek(SeekFrom::End(0)).await?, 5);
    assert_eq!(file.write_at(b"!", 5).await?, 1);
    file.close().await?;
    let mut file = File::open(&path).await?;
    let mut text = String::new();
    file.read_to_string(&mut text).await?;
    assert_eq!(text, "hello!");
    assert_eq!(file.read_at(&mut [0; 8], 6).await?, 0, "the end");
    drop(file);
    let missing = File::open(dir.join("missing")).await.unwrap_err();
    assert_eq!(missing.kind(), io::ErrorKind::NotFound);
    names(dir, &path).await
}

async fn names(dir: &Path, path: &Path) -> io::Result<()> {
    use wakeline::fs;
    let other = dir.join("other");
    assert_eq!(fs::metadata(path).await?.len(), 6);
    assert!(fs::symlink_metadata(path).await?.is_file());
    assert!(!fs::try_exists(&other).await?);
    fs::rename(path, &other).await?;
    fs::hard_link(&other, path).await?;
    fs::remove_file(&other).await?;
    fs::copy(path, &other).await?;
    fs::write_atomic(path, b"new").await?;
    assert_eq!(fs::read(path).await?, b"new");
    assert_eq!(fs::read(&other).await?, b"hello!");
    fs::create_dir_all(dir.join("a/b")).await?;
    let mut found = 0;
    let mut entries = fs::read_dir(dir).await?;
    while entries.next_entry().await?.is_some() {
        found += 1;
    }
    assert_eq!(found, 3);
    fs::remove_dir_all(dir.join("a")).await?;
    fs::remove_file(&other).await?;
    fs::remove_file(path).await
}

async fn pipes(dir: &Path) -> io::Result<()> {
    let (mut sender, mut receiver) = wakeline::pipe::pipe()?;
    let mut buf = [0; 4];
    assert!(
        poll_once(std::pin::pin!(receiver.read(&mut buf)))
            .await
            .is_pending()
    );
    sender.write_all(b"pipe").await?;
    receiver.read_exact(&mut buf).await?;
    assert_eq!(&buf, b"pipe");
    let path = dir.join("fifo");
    let status = Command::new("mkfifo").arg(&path).status().await?;
    assert!(status.success());
    let mut both = OpenOptions::new()
        .read(true)
        .write(true)
        .open(&path)
        .await?;
    both.write_all(b"fifo").await?;
    both.read_exact(&mut buf).await?;
    assert_eq!(&buf, b"fifo");
    wakeline::fs::remove_file(&path).await
}

async fn children() -> io::Result<()> {
    let output = Command::new("echo").arg("child").output().await?;
    assert_eq!(
        (output.status.success(), &output.stdout[..]),
        (true, &b"child\n"[..])
    );
    let mut cat = Command::new("cat");
    let mut cat = cat.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn()?;
    let mut stdin = cat.stdin.take().expect("it is piped");
    stdin.write_all(b"through").await?;
    drop(stdin);
    let mut text = String::new();
    let mut stdout = cat.stdout.take().expect("it is piped");
    stdout.read_to_string(&mut text).await?;
    assert_eq!(text, "through");
    assert!(cat.wait().await?.success());
    let mut sleeper = Command::new("sleep").arg("1000").spawn()?;
    sleeper.kill().await?;
    drop(Command::new("true").spawn()?); // it is reaped elsewhere
    Ok(())
}

#[test]
fn the_inner_test_of_denied_calls() {
    let Some(scratch) = env::var_os(SCRATCH).map(PathBuf::from) else {
        return; // it is for the test below
    };
    for_each_backend(|backend| {
        for workers in [1, 2] {
            let dir = scratch.join(format!("{}-{workers}", backend.name()));
            fs::create_dir(&dir).expect("it is the test's own");
            backend.runtime(workers).block_on(async {
                files(&dir).await.unwrap();
                pipes(&dir).await.unwrap();
                children().await.unwrap();
            });
        }
    });
}

/// Runs all of it in a process that is denied these calls.
fn run_denied(what: &str) -> Result<(), String> {
    let name = format!("wakeline-denied-{}-{what}", std::process::id());
    let scratch = env::temp_dir().join(name.replace([':', ','], "-"));
    fs::create_dir(&scratch).expect("the temporary directory is writable");
    let output = StdCommand::new(example("deny_uring"))
        .arg(what)
        .arg(env::current_exe().expect("the test knows its own path"))
        .args(["--exact", "the_inner_test_of_denied_calls", "--nocapture"])
        .env(SCRATCH, &scratch)
        .output()
        .expect("the tool starts");
    fs::remove_dir_all(&scratch).expect("it is the test's own");
    if output.status.success() {
        return Ok(());
    }
    let told = String::from_utf8_lossy(&output.stderr);
    Err(format!("{what}: {}\n{told}", output.status))
}

#[test]
fn what_a_kernel_or_a_sandbox_denies_is_done_without() {
    let all = [
        "eperm:openat2",
        "eperm:pidfd_open",
        "eperm:membarrier",
        "eperm:preadv2",
        "eperm:pwritev2",
        "eperm:statx",
        "enosys:openat2",
        "enosys:pidfd_open",
        "enosys:membarrier",
        "enosys:preadv2",
        "enosys:pwritev2",
        "enosys:statx",
        "enosys:openat2,pidfd_open,membarrier,preadv2,pwritev2",
        "eopnotsupp:preadv2,pwritev2",
    ];
    let run = |what: &&str| run_denied(what).err();
    let failed: Vec<String> = all.iter().filter_map(run).collect();
    assert!(failed.is_empty(), "{}", failed.join("\n"));
}
