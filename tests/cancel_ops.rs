//! An owned operation dropped at any moment leaves no descriptor, buffer or operation.

mod support;

use std::ffi::CString;
use std::fs::{self, File};
use std::io::Write as _;
use std::os::fd::AsFd;
use std::os::unix::ffi::OsStringExt;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use support::drops::{descriptors_back_to, drop_at_random, poll_once, share};
use support::{Backend, Chance, alloc, for_each_backend, open_descriptors};
use wakeline::time::sleep;
use wakeline_reactor::op::{self, OpenAt};

#[global_allocator]
static ALLOCATOR: alloc::Watching = alloc::Watching;

const BUFFER: usize = alloc::WATCHED;

/// A file of twice the buffer's size, gone with the value.
struct Scratch(PathBuf);

impl Scratch {
    fn new(backend: Backend) -> Scratch {
        let name = format!("cancel-ops-{}-{}", std::process::id(), backend.name());
        let path = std::env::temp_dir().join(name);
        fs::write(&path, vec![7; 2 * BUFFER]).expect("room for a small file");
        Scratch(path)
    }

    fn open(&self) -> Arc<op::Descriptor> {
        Arc::new(
            File::options()
                .read(true)
                .write(true)
                .open(&self.0)
                .expect("the file is ours")
                .into(),
        )
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        let _ = fs::remove_file(&self.0);
    }
}

async fn buffers_back_to(before: usize) {
    for _ in 0..1_000 {
        if alloc::live() <= before {
            return;
        }
        sleep(Duration::from_millis(1)).await;
    }
    panic!("{} buffers, before {before}", alloc::live());
}

#[test]
fn files_are_read_written_and_opened_without_a_rest() {
    let _alone = support::alone();
    let seed = Chance::new();
    for_each_backend(|backend| {
        let scratch = Scratch::new(backend);
        let path =
            CString::new(scratch.0.clone().into_os_string().into_vec()).expect("no zero byte");
        for workers in [1, 2] {
            let mut chance = seed.fork(workers as u64);
            let runtime = backend.runtime(workers);
            runtime.block_on(async {
                let file = scratch.open();
                // What the first operation makes for good is there before the count.
                let (result, _) = op::submit(op::Fsync {
                    fd: Arc::clone(&file),
                    data_only: false,
                })
                .await;
                result.expect("fsync");
                let (descriptors, buffers) = (open_descriptors(), alloc::live());
                for _ in 0..share(15) {
                    let fd = Arc::clone(&file);
                    match chance.below(4) {
                        0 => {
                            let read = op::Read {
                                fd,
                                buf: Vec::with_capacity(BUFFER),
                                offset: 0,
                            };
                            if let Some((result, buf)) =
                                drop_at_random(&mut chance, op::submit(read), || {}).await
                            {
                                assert_eq!(result.expect("read"), buf.len());
                                assert!(buf.iter().all(|&byte| byte == 7));
                            }
                        }
                        1 => {
                            let write = op::Write {
                                fd,
                                buf: vec![7; BUFFER],
                                offset: BUFFER as u64,
                            };
                            if let Some((result, _)) =
                                drop_at_random(&mut chance, op::submit(write), || {}).await
                            {
                                assert_eq!(result.expect("write"), BUFFER);
                            }
                        }
                        2 => {
                            let (path, flags) = (path.clone(), libc::O_RDONLY | libc::O_CLOEXEC);
                            let open = OpenAt {
                                dir: None,
                                path,
                                flags,
                                mode: 0,
                            };
                            if let Some((result, _)) =
                                drop_at_random(&mut chance, op::submit(open), || {}).await
                            {
                                assert!(result.expect("open").as_fd().try_clone_to_owned().is_ok());
                            }
                        }
                        _ => {
                            let read = op::Read {
                                fd,
                                buf: Vec::with_capacity(BUFFER),
                                offset: 0,
                            };
                            let mut reading = Box::pin(op::submit(read));
                            let early = poll_once(reading.as_mut()).await;
                            if early.is_pending() {
                                let (result, buf) =
                                    std::pin::Pin::into_inner(reading).cancel().await;
                                // Either it was stopped, or it is all there.
                                assert_eq!(result.unwrap_or(0), buf.len());
                            }
                        }
                    }
                }
                buffers_back_to(buffers).await;
                descriptors_back_to(descriptors).await;
            });
            let report = runtime.shutdown(Duration::from_secs(10));
            assert_eq!(report.leaked_operations, 0, "{report:?}");
        }
    });
}

#[test]
fn what_a_cancelled_read_of_a_pipe_has_taken_is_handed_out() {
    let _alone = support::alone();
    let seed = Chance::new();
    for_each_backend(|backend| {
        let mut chance = seed.fork(9);
        let runtime = backend.runtime(1);
        runtime.block_on(async {
            let (reader, mut writer) = std::io::pipe().unwrap();
            let reader = Arc::new(op::Descriptor::from(reader));
            let (mut sent, mut received) = (0u64, 0u64);
            let byte = |place: u64| (place % 251) as u8;
            for _ in 0..share(10) {
                let read = op::Read {
                    fd: Arc::clone(&reader),
                    buf: Vec::with_capacity(64),
                    offset: u64::MAX,
                };
                let mut reading = Box::pin(op::submit(read));
                let mut outcome = poll_once(reading.as_mut()).await;
                if chance.one_in(2) && outcome.is_pending() {
                    wakeline::yield_now().await;
                }
                // Never more than the pipe holds: this write blocks.
                if sent == received || (sent < received + 8192 && chance.one_in(2)) {
                    let bytes: Vec<u8> = (sent..sent + 1 + chance.below(64)).map(byte).collect();
                    writer.write_all(&bytes).unwrap();
                    sent += bytes.len() as u64;
                }
                if chance.one_in(2) && outcome.is_pending() {
                    outcome = poll_once(reading.as_mut()).await;
                }
                let (result, buf) = match outcome {
                    std::task::Poll::Ready(outcome) => outcome,
                    std::task::Poll::Pending => std::pin::Pin::into_inner(reading).cancel().await,
                };
                match result {
                    Ok(n) => assert_eq!(n, buf.len()),
                    Err(error) => {
                        assert_eq!(error.raw_os_error(), Some(libc::ECANCELED), "{error}");
                        assert!(buf.is_empty());
                    }
                }
                for got in buf {
                    assert_eq!(got, byte(received), "byte {received}");
                    received += 1;
                }
            }
            while received < sent {
                let read = op::Read {
                    fd: Arc::clone(&reader),
                    buf: Vec::with_capacity(4096),
                    offset: u64::MAX,
                };
                let (result, buf) = op::submit(read).await;
                result.expect("read");
                for got in buf {
                    assert_eq!(got, byte(received), "byte {received}");
                    received += 1;
                }
            }
        });
        let report = runtime.shutdown(Duration::from_secs(10));
        assert_eq!(report.leaked_operations, 0, "{report:?}");
    });
}

/// A pipe and a socket, each with what writes to it; in blocking mode or not.
fn streams(non_blocking: bool) -> Vec<(Arc<op::Descriptor>, Box<dyn std::io::Write>)> {
    let (pipe, pipe_writer) = std::io::pipe().unwrap();
    let (socket, socket_writer) = std::os::unix::net::UnixStream::pair().unwrap();
    if non_blocking {
        set_nonblocking(&pipe);
        socket.set_nonblocking(true).unwrap();
    }
    vec![
        (Arc::new(pipe.into()), Box::new(pipe_writer)),
        (Arc::new(socket.into()), Box::new(socket_writer)),
    ]
}

fn set_nonblocking(pipe: &std::io::PipeReader) {
    use std::os::fd::AsRawFd;
    // SAFETY: takes integers.
    let set = unsafe { libc::fcntl(pipe.as_raw_fd(), libc::F_SETFL, libc::O_NONBLOCK) };
    assert_eq!(set, 0);
}

#[test]
fn a_dropped_read_of_a_pipe_or_socket_takes_nothing() {
    let _alone = support::alone();
    let seed = Chance::new();
    for_each_backend(|backend| {
        for (workers, non_blocking) in [(1, false), (1, true), (2, false), (2, true)] {
            let mut chance = seed.fork(workers as u64 * 2 + u64::from(non_blocking));
            let runtime = backend.runtime(workers);
            runtime.block_on(async {
                for (reader, mut writer) in streams(non_blocking) {
                    let (mut sent, mut received) = (0u64, 0u64);
                    let byte = |place: u64| (place % 251) as u8;
                    let read = |most: usize| op::Read {
                        fd: Arc::clone(&reader),
                        buf: Vec::with_capacity(most),
                        offset: u64::MAX,
                    };
                    let mut check = |buf: Vec<u8>| {
                        for got in buf {
                            assert_eq!(got, byte(received), "byte {received}");
                            received += 1;
                        }
                        received
                    };
                    let mut known = 0;
                    for _ in 0..share(2) {
                        let send = || {
                            // Never more than there is room for: this write blocks.
                            if sent < known + 4096 {
                                let bytes: Vec<u8> = (sent..sent + 32).map(byte).collect();
                                writer.write_all(&bytes).unwrap();
                                sent += 32;
                            }
                        };
                        let reading = op::submit(read(64));
                        if let Some((result, buf)) =
                            drop_at_random(&mut chance, reading, send).await
                        {
                            assert_eq!(result.expect("read"), buf.len());
                            known = check(buf);
                        }
                    }
                    while known < sent {
                        let (result, buf) = op::submit(read(4096)).await;
                        assert_ne!(result.expect("read"), 0, "lost after byte {known}");
                        known = check(buf);
                    }
                }
            });
            let report = runtime.shutdown(Duration::from_secs(10));
            assert_eq!(report.leaked_operations, 0, "{report:?}");
        }
    });
}
