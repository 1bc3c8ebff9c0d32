//! Names: removed, renamed, made, linked, asked about; also odd ones, and by
//! futures that are dropped.

mod support;

use std::ffi::OsStr;
use std::io::{self, ErrorKind};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};

use futures_lite::future::poll_once;
use support::{alone, descriptors_come_down_to, for_each_backend, open_descriptors};
use wakeline::fs;
use wakeline::stream::StreamExt;

/// A directory for one test on one backend, removed at its end.
struct Scratch(PathBuf);

impl Scratch {
    fn new(name: &str) -> Scratch {
        let dir =
            std::env::temp_dir().join(format!("wakeline-paths-{}-{name}", std::process::id()));
        let _left = std::fs::remove_dir_all(&dir);
        std::fs::create_dir(&dir).expect("a directory");
        Scratch(dir)
    }

    fn file(&self, name: impl AsRef<Path>, content: &str) -> PathBuf {
        let path = self.0.join(name);
        std::fs::write(&path, content).expect("a file");
        path
    }
}

impl std::ops::Deref for Scratch {
    type Target = Path;

    fn deref(&self) -> &Path {
        &self.0
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        let _gone = std::fs::remove_dir_all(&self.0);
    }
}

/// Runs `test` on each backend, in a directory of its own.
#[track_caller]
fn on_each(name: &str, test: impl AsyncFn(&Scratch) -> io::Result<()>) {
    let _alone = alone();
    for_each_backend(|backend| {
        let dir = Scratch::new(name);
        backend
            .runtime(1)
            .block_on(test(&dir))
            .unwrap_or_else(|error| panic!("on {}: {error}", backend.name()));
    });
}

#[track_caller]
fn fails<T: std::fmt::Debug>(result: io::Result<T>, kind: ErrorKind, told: &[&str]) {
    let error = result.expect_err("it cannot be done");
    assert_eq!(error.kind(), kind, "{error}");
    for part in told {
        assert!(error.to_string().contains(part), "{error}: no {part}");
    }
}

fn nasty_names() -> Vec<&'static OsStr> {
    let names: [&[u8]; 8] = [
        b"plain",
        b"two\nlines",
        b"\xff\xfe not text",
        b" leading and trailing ",
        b"-rf",
        "\u{1f980}\u{202e}gpj".as_bytes(),
        b"quote\"'\\",
        &[b'n'; 255],
    ];
    names.into_iter().map(OsStr::from_bytes).collect()
}

#[test]
fn every_name_that_the_kernel_takes_goes_through_every_function() {
    on_each("nasty", async |dir| {
        for name in nasty_names() {
            let (file, sub) = (dir.file(name, "content"), dir.join("sub"));
            fs::create_dir(&sub).await?;
            fs::rename(&file, sub.join(name)).await?;
            fs::hard_link(sub.join(name), &file).await?;
            assert_eq!(fs::metadata(&file).await?.nlink(), 2, "{name:?}");
            fs::remove_file(&file).await?;
            assert!(!fs::try_exists(&file).await?);
            fs::symlink(sub.join(name), &file).await?;
            assert_eq!(fs::read_link(&file).await?, sub.join(name));
            assert!(fs::symlink_metadata(&file).await?.is_symlink());
            assert_eq!(fs::canonicalize(&file).await?, sub.join(name));
            fs::set_permissions(&file, fs::Permissions::from_mode(0o640)).await?;
            let mode = fs::metadata(sub.join(name)).await?.permissions().mode();
            assert_eq!(mode & 0o7777, 0o640);
            let seen: Vec<_> = fs::read_dir(&sub).await?.collect().await;
            let seen: Vec<_> = seen.into_iter().collect::<io::Result<_>>()?;
            assert_eq!(seen.len(), 1);
            assert_eq!(
                (seen[0].file_name().as_os_str(), seen[0].path()),
                (name, sub.join(name))
            );
            assert!(seen[0].file_type()?.is_file());
            assert_eq!(seen[0].ino(), seen[0].metadata().await?.ino());
            drop(seen);
            fails(
                fs::remove_dir(&sub).await,
                ErrorKind::DirectoryNotEmpty,
                &["remove_dir_all"],
            );
            fs::remove_dir_all(&sub).await?;
            assert!(
                !fs::try_exists(&file).await?,
                "a dangling link leads to nothing"
            );
            fs::remove_file(&file).await?;
        }
        Ok(())
    });
}

#[test]
fn a_name_that_cannot_be_is_an_error_that_shows_it() {
    on_each("errors", async |dir| {
        let nul = Path::new("a\0b");
        let told = ["\"a\\0b\"", "NUL"];
        fails(fs::remove_file(nul).await, ErrorKind::InvalidInput, &told);
        fails(
            fs::rename(dir.join("x"), nul).await,
            ErrorKind::InvalidInput,
            &told,
        );
        fails(fs::create_dir(nul).await, ErrorKind::InvalidInput, &told);
        fails(
            fs::hard_link(nul, "b").await,
            ErrorKind::InvalidInput,
            &told,
        );
        fails(fs::symlink("b", nul).await, ErrorKind::InvalidInput, &told);
        fails(
            fs::metadata(nul).await,
            ErrorKind::InvalidInput,
            &["\"a\\0b\""],
        );

        let long = dir.join(OsStr::from_bytes(&[b'n'; 256]));
        let long_path: PathBuf = std::iter::repeat_n("0123456789", 500).collect();
        for path in [&long, &long_path] {
            let told = ["nnn", "0123456789/"][usize::from(path == &long_path)];
            let told = [told, "255 bytes"];
            fails(
                fs::create_dir(path).await,
                ErrorKind::InvalidFilename,
                &told,
            );
            fails(
                fs::remove_file(path).await,
                ErrorKind::InvalidFilename,
                &told,
            );
        }
        fails(
            fs::create_dir("").await,
            ErrorKind::NotFound,
            &["create directory \"\""],
        );
        Ok(())
    });
}

#[test]
fn missing_parents_wrong_kinds_and_trailing_slashes_are_told() {
    on_each("kinds", async |dir| {
        let file = dir.file("file", "");
        let told = ["create_dir_all", "missing/sub"];
        fails(
            fs::create_dir(dir.join("missing/sub")).await,
            ErrorKind::NotFound,
            &told,
        );
        let to = dir.join("missing/file");
        fails(
            fs::rename(&file, to).await,
            ErrorKind::NotFound,
            &["rename ", "/file\" to "],
        );
        fails(
            fs::create_dir(file.join("sub")).await,
            ErrorKind::NotADirectory,
            &["file/sub"],
        );
        fails(
            fs::create_dir_all(file.join("a/b")).await,
            ErrorKind::NotADirectory,
            &["a/b"],
        );
        fails(
            fs::create_dir(&file).await,
            ErrorKind::AlreadyExists,
            &["create directory"],
        );
        fails(
            fs::remove_dir(&file).await,
            ErrorKind::NotADirectory,
            &["remove directory"],
        );
        fails(
            fs::remove_file(&**dir).await,
            ErrorKind::IsADirectory,
            &["remove_dir"],
        );
        fails(
            fs::read_dir(&file).await,
            ErrorKind::NotADirectory,
            &["read directory"],
        );
        fails(
            fs::read_link(&file).await,
            ErrorKind::InvalidInput,
            &["read link"],
        );
        fails(
            fs::remove_dir_all(&file).await,
            ErrorKind::NotADirectory,
            &["remove all of"],
        );
        fails(
            fs::remove_dir_all(dir.join("none")).await,
            ErrorKind::NotFound,
            &["none"],
        );

        fs::create_dir(dir.join("slash/")).await?;
        fs::rename(dir.join("slash/"), dir.join("dash/")).await?;
        fails(
            fs::remove_file(dir.join("file/")).await,
            ErrorKind::NotADirectory,
            &["file/"],
        );
        fs::remove_dir(dir.join("dash/")).await?;
        Ok(())
    });
}

#[test]
fn links_that_dangle_or_go_in_circles() {
    on_each("links", async |dir| {
        let circle = io::Error::from_raw_os_error(libc::ELOOP).kind();
        let (a, b, kept) = (dir.join("a"), dir.join("b"), dir.join("kept"));
        fs::symlink("b", &a).await?;
        fails(fs::metadata(&a).await, ErrorKind::NotFound, &["look at"]);
        assert!(!fs::try_exists(&a).await?);
        assert!(fs::symlink_metadata(&a).await?.is_symlink());
        fails(
            fs::canonicalize(&a).await,
            ErrorKind::NotFound,
            &["resolve"],
        );
        fs::symlink("a", &b).await?;
        fails(fs::metadata(&a).await, circle, &["circle"]);
        fails(fs::try_exists(&a).await, circle, &["look for", "circle"]);

        // A tree is removed without following what leads out of it.
        fs::create_dir_all(kept.join("sub")).await?;
        let victim = dir.join("victim");
        fs::create_dir(&victim).await?;
        fs::symlink(&kept, victim.join("out")).await?;
        fs::remove_dir_all(&victim).await?;
        assert!(fs::try_exists(kept.join("sub")).await?);
        fs::symlink(&kept, &victim).await?;
        fs::remove_dir_all(&victim).await?; // the link alone, as std does
        assert!(fs::try_exists(kept.join("sub")).await?);
        Ok(())
    });
}

#[test]
fn a_rename_replaces_or_refuses_or_exchanges() {
    on_each("rename", async |dir| {
        let (a, b) = (dir.file("a", "A"), dir.file("b", "B"));
        let refused = fs::rename_noreplace(&a, &b).await;
        fails(refused, ErrorKind::AlreadyExists, &["without replacing"]);
        fs::rename_exchange(&a, &b).await?;
        assert_eq!(
            (std::fs::read(&a)?, std::fs::read(&b)?),
            (b"B".into(), b"A".into())
        );
        fs::rename_noreplace(&a, dir.join("c")).await?;
        fails(
            fs::rename_exchange(&a, &b).await,
            ErrorKind::NotFound,
            &["exchange"],
        );
        fs::rename(dir.join("c"), &b).await?;
        assert_eq!(std::fs::read(&b)?, b"B");
        // Itself, and into itself.
        fs::rename(&b, &b).await?;
        fs::create_dir(dir.join("d")).await?;
        fails(
            fs::rename(dir.join("d"), dir.join("d/e")).await,
            ErrorKind::InvalidInput,
            &["d/e"],
        );
        Ok(())
    });
}

#[test]
fn between_file_systems_a_rename_says_what_to_do() {
    let other = Path::new("/dev/shm");
    let device = |path: &Path| std::fs::metadata(path).map(|metadata| metadata.dev()).ok();
    if device(other).is_none() || device(other) == device(&std::env::temp_dir()) {
        eprintln!(
            "-- not tested: no second file system at {}",
            other.display()
        );
        return;
    }
    on_each("devices", async |dir| {
        let file = dir.file("file", "content");
        let to = other.join(format!("wakeline-paths-{}", std::process::id()));
        let told = ["different file systems", "/dev/shm"];
        fails(
            fs::rename(&file, &to).await,
            ErrorKind::CrossesDevices,
            &told,
        );
        fails(
            fs::hard_link(&file, &to).await,
            ErrorKind::CrossesDevices,
            &told,
        );
        assert!(file.exists() && !to.exists());
        Ok(())
    });
}

#[test]
fn permissions_and_read_only_file_systems_refuse() {
    on_each("denied", async |_dir| {
        // /proc refuses root, too.
        let refused = fs::create_dir("/proc/wakeline")
            .await
            .expect_err("not in /proc");
        assert!(refused.to_string().contains("/proc/wakeline"), "{refused}");
        let refused = fs::remove_file("/proc/self/comm")
            .await
            .expect_err("not in /proc");
        assert_eq!(refused.kind(), ErrorKind::PermissionDenied, "{refused}");
        Ok(())
    });
}

#[test]
fn a_future_that_is_never_polled_changes_nothing() {
    on_each("lazy", async |dir| {
        let file = dir.file("file", "");
        drop(fs::remove_file(&file));
        drop(fs::rename(&file, dir.join("new")));
        drop(fs::remove_dir_all(&**dir));
        drop(fs::create_dir(dir.join("sub")));
        assert!(file.exists() && !dir.join("new").exists() && !dir.join("sub").exists());
        Ok(())
    });
}

#[test]
fn a_dropped_rename_has_happened_or_not() {
    let _alone = alone();
    for_each_backend(|backend| {
        let dir = Scratch::new("dropped");
        let before = open_descriptors();
        let runtime = backend.runtime(1);
        runtime.block_on(async {
            for round in 0..200_usize {
                let (from, to) = (dir.file("from", "x"), dir.join("to"));
                let mut rename = Box::pin(fs::rename(&from, &to));
                let polled = poll_once(rename.as_mut()).await;
                // The one that was dropped before may have been late, and faster.
                let late = |error: &io::Error| error.kind() == ErrorKind::NotFound;
                assert!(
                    polled.is_none_or(|result| result.map_or_else(|error| late(&error), |()| true))
                );
                for _ in 0..round % 4 {
                    wakeline::yield_now().await;
                }
                drop(rename);
                // It may still be on its way; whoever looks here first, and
                // there then, finds it.
                assert!(from.exists() || to.exists(), "round {round}: it is gone");
            }
        });
        drop(runtime);
        descriptors_come_down_to(before);
    });
}

#[test]
fn a_large_directory_is_streamed_and_may_be_dropped_half_way() {
    let _alone = alone();
    for_each_backend(|backend| {
        let dir = Scratch::new("large");
        for i in 0..10_000 {
            std::fs::File::create(dir.join(format!("entry-{i:05}"))).expect("a file");
        }
        let before = open_descriptors();
        let runtime = backend.runtime(1);
        runtime.block_on(async {
            let mut names = Vec::new();
            let mut entries = fs::read_dir(&*dir).await.expect("it is there");
            while let Some(entry) = entries.next_entry().await.expect("an entry") {
                assert!(entry.file_type().expect("told with the name").is_file());
                names.push(entry.file_name());
            }
            names.sort();
            names.dedup();
            assert_eq!(names.len(), 10_000, "each once");

            let entries = fs::read_dir(&*dir).await.expect("it is there");
            let half: Vec<_> = entries.take(5_000).collect().await;
            assert!(half.iter().all(Result::is_ok));

            // And in the middle of a batch's job.
            let mut entries = fs::read_dir(&*dir).await.expect("it is there");
            let mut got = 0;
            while poll_once(entries.next()).await.is_some() {
                got += 1;
            }
            assert!(got > 0);
        });
        drop(runtime);
        descriptors_come_down_to(before);
    });
}

#[test]
fn a_directory_that_changes_meanwhile_gives_the_rest_once() {
    on_each("changes", async |dir| {
        for i in 0..1_000 {
            dir.file(format!("old-{i}"), "");
        }
        let mut entries = fs::read_dir(&**dir).await?;
        let mut seen = Vec::new();
        for i in 0.. {
            let Some(entry) = entries.next_entry().await? else {
                break;
            };
            let name = entry.file_name().into_string().expect("text");
            if name.starts_with("old") {
                seen.push(name);
            }
            if i % 10 == 0 && i < 2_000 {
                dir.file(format!("new-{i}"), "");
            }
            drop(fs::remove_file(dir.join(format!("old-{}", 999 - i % 500))).await);
        }
        let all = seen.len();
        seen.sort();
        seen.dedup();
        assert_eq!(seen.len(), all, "nothing twice");
        let stays = seen
            .iter()
            .filter(|name| name[4..].parse::<u32>().is_ok_and(|i| i < 500));
        assert_eq!(stays.count(), 500, "what was there all the time");
        Ok(())
    });
}

#[test]
fn who_opens_a_socket_or_a_circle_of_links_is_told_so() {
    on_each("openings", async |dir| {
        let (socket, circle) = (dir.join("socket"), dir.join("circle"));
        let _listener = std::os::unix::net::UnixListener::bind(&socket)?;
        std::os::unix::fs::symlink("circle", &circle)?;
        let opened = fs::File::open(&socket).await.map(drop);
        let copied = fs::copy(&socket, dir.join("copy")).await.map(drop);
        let circled = fs::read(&circle).await.map(drop);
        for (failed, word) in [
            (opened, "to a socket"),
            (copied, "to a socket"),
            (circled, "in a circle"),
        ] {
            let text = failed.expect_err(word).to_string();
            assert!(text.contains(word), "{text}");
        }
        Ok(())
    });
}
