//! A bare ring, without a runtime: the least that io_uring costs.
//!
//! Its submissions are awaited where the next one needs the result: one by one
//! for sequential reads, 64 at a time for random ones, a close with the next open.

use crate::data::{BLOCK, Data, IN_FLIGHT, LARGE, PAGE, Paths, READS_EACH, SYNCS};
use crate::data::{blocks, offsets, per_op};
use crate::{Contestant, Row};
use io_uring::squeue::{Entry, Flags};
use io_uring::{IoUring, opcode, types};
use std::ffi::CString;
use std::fs::File;
use std::io;
use std::os::fd::AsRawFd;
use std::os::unix::ffi::OsStrExt;
use std::time::Instant;

pub(crate) const CONTESTANT: Contestant = Contestant {
    name: "bare ring",
    run: |row, data: &Data| {
        Ring::new()
            .and_then(|mut ring| ring.run(row, &data.share()))
            .ok()
    },
};

struct Ring(IoUring);

impl Ring {
    fn new() -> io::Result<Ring> {
        let mut builder = IoUring::builder();
        builder.setup_single_issuer().setup_defer_taskrun();
        builder.build(256).map(Ring)
    }

    /// What the entry points to is a local of the caller's, which waits for
    /// each completion before it returns.
    fn push(&mut self, entry: Entry) {
        // SAFETY: see above: all memory named outlives its completion.
        unsafe { self.0.submission().push(&entry) }.expect("fewer than the ring has");
    }

    /// Submits, waits for so many, and yields the last one's number and result.
    fn wait(&mut self, count: usize, mut done: impl FnMut(u64, i32)) {
        self.0.submit_and_wait(count).expect("a ring");
        for completion in self.0.completion() {
            done(completion.user_data(), completion.result());
        }
    }

    fn run(&mut self, row: Row, data: &Paths) -> io::Result<f64> {
        match row {
            Row::Sequential => self.sequential(&File::open(&data.large)?),
            Row::Random => self.random(&File::open(&data.large)?),
            Row::SmallFiles => self.small_files(data),
            Row::Fsync => self.fsync(&File::options().write(true).open(&data.synced)?),
        }
    }

    fn sequential(&mut self, file: &File) -> io::Result<f64> {
        let fd = types::Fd(file.as_raw_fd());
        let mut buf = vec![0; BLOCK];
        let start = Instant::now();
        for at in blocks() {
            self.push(
                opcode::Read::new(fd, buf.as_mut_ptr(), BLOCK as u32)
                    .offset(at)
                    .build(),
            );
            self.wait(1, |_, n| assert_eq!(n, BLOCK as i32));
        }
        Ok(per_op(start, LARGE / BLOCK))
    }

    fn random(&mut self, file: &File) -> io::Result<f64> {
        let fd = types::Fd(file.as_raw_fd());
        let mut bufs = vec![vec![0; PAGE]; IN_FLIGHT];
        let mut offsets: Vec<_> = (0..IN_FLIGHT).map(offsets).collect();
        let start = Instant::now();
        let mut ready: Vec<u64> = (0..IN_FLIGHT as u64).collect();
        let mut left = IN_FLIGHT * READS_EACH;
        while left > 0 {
            for which in std::mem::take(&mut ready) {
                let at = which as usize;
                if let Some(offset) = offsets[at].next() {
                    let read = opcode::Read::new(fd, bufs[at].as_mut_ptr(), PAGE as u32);
                    self.push(read.offset(offset).build().user_data(which));
                }
            }
            self.wait(1, |which, n| {
                assert_eq!(n, PAGE as i32);
                ready.push(which);
                left -= 1;
            });
        }
        Ok(per_op(start, IN_FLIGHT * READS_EACH))
    }

    fn small_files(&mut self, data: &Paths) -> io::Result<f64> {
        let paths = data
            .small
            .iter()
            .map(|path| CString::new(path.as_os_str().as_bytes()));
        let paths: Vec<CString> = paths.collect::<Result<_, _>>()?;
        let mut buf = vec![0; PAGE];
        let start = Instant::now();
        let mut closes = 0;
        for path in &paths {
            let open = opcode::OpenAt::new(types::Fd(libc_at_fdcwd()), path.as_ptr());
            self.push(open.build().user_data(1));
            let mut fd = -1;
            self.wait(1 + closes, |which, result| {
                if which == 1 {
                    fd = result;
                }
            });
            assert!(fd >= 0, "{path:?}: {fd}");
            let fd = types::Fd(fd);
            self.push(opcode::Read::new(fd, buf.as_mut_ptr(), PAGE as u32).build());
            self.wait(1, |_, n| assert!(n > 0));
            self.push(opcode::Close::new(fd).build());
            closes = 1;
        }
        self.wait(closes, |_, _| {});
        Ok(per_op(start, data.small.len()))
    }

    fn fsync(&mut self, file: &File) -> io::Result<f64> {
        let fd = types::Fd(file.as_raw_fd());
        let buf = vec![2; PAGE];
        let start = Instant::now();
        for _ in 0..SYNCS {
            let write = opcode::Write::new(fd, buf.as_ptr(), PAGE as u32);
            self.push(write.build().flags(Flags::IO_LINK));
            self.push(opcode::Fsync::new(fd).build());
            self.wait(2, |_, result| assert!(result >= 0));
        }
        Ok(per_op(start, SYNCS))
    }
}

/// Relative paths begin in the working directory.
const fn libc_at_fdcwd() -> i32 {
    -100
}
