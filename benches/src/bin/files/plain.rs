//! `std`: blocking calls of one thread. "In flight" is one after the other.

use crate::data::{BLOCK, IN_FLIGHT, LARGE, PAGE, Paths, READS_EACH, SYNCS};
use crate::data::{blocks, offsets, per_op};
use crate::{Contestant, Row};
use std::fs::File;
use std::io::Read;
use std::os::unix::fs::FileExt;
use std::time::Instant;

pub(crate) const CONTESTANT: Contestant = Contestant {
    name: "std",
    run: |row, data| {
        run(row, &data.share())
            .map(Some)
            .expect("the files are there")
    },
};

fn run(row: Row, data: &Paths) -> std::io::Result<f64> {
    match row {
        Row::Sequential => {
            let file = File::open(&data.large)?;
            let mut buf = vec![0; BLOCK];
            let start = Instant::now();
            for at in blocks() {
                assert_eq!(file.read_at(&mut buf, at)?, BLOCK);
            }
            Ok(per_op(start, LARGE / BLOCK))
        }
        Row::Random => {
            let file = File::open(&data.large)?;
            let mut buf = vec![0; PAGE];
            let start = Instant::now();
            for seed in 0..IN_FLIGHT {
                for at in offsets(seed) {
                    assert_eq!(file.read_at(&mut buf, at)?, PAGE);
                }
            }
            Ok(per_op(start, IN_FLIGHT * READS_EACH))
        }
        Row::SmallFiles => {
            let mut buf = vec![0; PAGE];
            let start = Instant::now();
            for path in &data.small {
                assert_ne!(File::open(path)?.read(&mut buf)?, 0);
            }
            Ok(per_op(start, data.small.len()))
        }
        Row::Fsync => {
            let file = File::options().write(true).open(&data.synced)?;
            let buf = vec![2; PAGE];
            let start = Instant::now();
            for _ in 0..SYNCS {
                file.write_all_at(&buf, 0)?;
                file.sync_all()?;
            }
            Ok(per_op(start, SYNCS))
        }
    }
}
