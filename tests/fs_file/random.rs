//! Random sequences of operations, against std's file.

use super::{Scratch, bounded, poll_once};
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::test_runner::TestRng;
use std::fs;
use std::io::{Read as _, Seek as _, SeekFrom, Write as _};
use std::task::Poll;
use wakeline::Runtime;
use wakeline::fs::File;
use wakeline::io::{AsyncReadExt, AsyncSeekExt, AsyncWriteExt};

#[derive(Clone, Debug)]
enum Step {
    Read(usize),
    ReadAt(usize, u64),
    /// Begun and dropped: it must move nothing.
    DropRead(usize),
    Write(Vec<u8>),
    WriteAt(Vec<u8>, u64),
    /// Begun, dropped, and tried again if it was not done at once.
    RetryWrite(Vec<u8>),
    Start(u64),
    Current(i64),
    End(i64),
    SetLen(u64),
    Flush,
    /// Goes on with a clone, with what `into_std` makes, or with the same.
    Clone,
    Std,
}

fn bytes() -> impl Strategy<Value = Vec<u8>> {
    // Few different ones, so that a write often begins like the one before.
    (prop_oneof![0..40_usize, 60_000..70_000_usize], 0..3_u8).prop_map(|(n, byte)| vec![byte; n])
}

fn step() -> impl Strategy<Value = Step> {
    let length = || prop_oneof![0..100_usize, 60_000..300_000_usize];
    let place = || prop_oneof![0..200_u64, 0..200_000_u64];
    prop_oneof![
        3 => length().prop_map(Step::Read),
        2 => (length(), place()).prop_map(|(n, at)| Step::ReadAt(n, at)),
        3 => length().prop_map(Step::DropRead),
        3 => bytes().prop_map(Step::Write),
        2 => (bytes(), place()).prop_map(|(bytes, at)| Step::WriteAt(bytes, at)),
        3 => bytes().prop_map(Step::RetryWrite),
        1 => place().prop_map(Step::Start),
        1 => (-500..500_i64).prop_map(Step::Current),
        1 => (-500..500_i64).prop_map(Step::End),
        1 => place().prop_map(Step::SetLen),
        1 => Just(Step::Flush),
        1 => Just(Step::Clone),
        1 => Just(Step::Std),
    ]
}

/// Reads until so many bytes came, or the end: how many at a time is free.
async fn read_fully(file: &mut File, n: usize) -> std::io::Result<Vec<u8>> {
    let mut got = vec![0; n];
    let mut done = 0;
    while done < n {
        match file.read(&mut got[done..]).await? {
            0 => break,
            more => done += more,
        }
    }
    got.truncate(done);
    Ok(got)
}

async fn read_at_fully(file: &File, n: usize, at: u64) -> std::io::Result<Vec<u8>> {
    let mut got = vec![0; n];
    let mut done = 0;
    while done < n {
        match file.read_at(&mut got[done..], at + done as u64).await? {
            0 => break,
            more => done += more,
        }
    }
    got.truncate(done);
    Ok(got)
}

async fn write_at_fully(file: &File, mut bytes: &[u8], mut at: u64) -> std::io::Result<()> {
    while !bytes.is_empty() {
        let n = file.write_at(bytes, at).await?;
        bytes = &bytes[n..];
        at += n as u64;
    }
    Ok(())
}

async fn seek_both(ours: &mut File, model: &mut fs::File, to: SeekFrom) -> std::io::Result<()> {
    let here = ours.seek(to).await;
    let there = model.seek(to);
    assert_eq!(
        here.is_ok(),
        there.is_ok(),
        "{to:?}: {here:?}, std {there:?}"
    );
    Ok(())
}

async fn one(mut ours: File, model: &mut fs::File, step: Step) -> std::io::Result<File> {
    match step {
        Step::Read(n) => {
            let mut expected = Vec::new();
            std::io::Read::by_ref(model)
                .take(n as u64)
                .read_to_end(&mut expected)?;
            assert!(read_fully(&mut ours, n).await? == expected, "other bytes");
        }
        Step::ReadAt(n, at) => {
            let mut expected = vec![0; n];
            let m = std::os::unix::fs::FileExt::read_at(model, &mut expected, at)?;
            assert!(
                read_at_fully(&ours, n, at).await? == expected[..m],
                "other bytes"
            );
        }
        Step::DropRead(n) => {
            let mut buf = vec![0; n];
            let mut read = Box::pin(ours.read(&mut buf));
            if let Poll::Ready(done) = poll_once(read.as_mut()).await {
                // It was not dropped after all.
                model.seek(SeekFrom::Current(done?.cast_signed() as i64))?;
            }
        }
        Step::Write(bytes) => {
            ours.write_all(&bytes).await?;
            model.write_all(&bytes)?;
        }
        Step::WriteAt(bytes, at) => {
            write_at_fully(&ours, &bytes, at).await?;
            std::os::unix::fs::FileExt::write_all_at(model, &bytes, at)?;
        }
        Step::RetryWrite(bytes) => {
            let mut write = Box::pin(ours.write(&bytes));
            let first = poll_once(write.as_mut()).await;
            drop(write);
            let done = match first {
                Poll::Ready(n) => n?,
                Poll::Pending => 0,
            };
            ours.write_all(&bytes[done..]).await?;
            model.write_all(&bytes)?;
        }
        Step::Start(at) => seek_both(&mut ours, model, SeekFrom::Start(at)).await?,
        Step::Current(by) => seek_both(&mut ours, model, SeekFrom::Current(by)).await?,
        Step::End(by) => seek_both(&mut ours, model, SeekFrom::End(by)).await?,
        Step::SetLen(n) => {
            ours.set_len(n).await?;
            model.set_len(n)?;
        }
        Step::Flush => ours.flush().await?,
        Step::Clone => {
            ours.flush().await?;
            let clone = ours.try_clone()?;
            ours.close().await?;
            ours = clone;
        }
        Step::Std => {
            ours.flush().await?;
            ours = File::from_std(ours.into_std()?)?;
        }
    }
    assert_eq!(ours.stream_position().await?, model.stream_position()?);
    Ok(ours)
}

fn agree(runtime: &Runtime, dir: &Scratch, steps: &[Step]) {
    let options = || {
        let mut options = fs::OpenOptions::new();
        options.read(true).write(true).create(true).truncate(true);
        options
    };
    let mut model = options().open(dir.0.join("model")).expect("room");
    let ours = options().open(dir.0.join("ours")).expect("room");
    runtime.block_on(bounded(&dir.0, async {
        let mut ours = File::from_std(ours).expect("a file");
        for step in steps {
            ours = one(ours, &mut model, step.clone()).await.expect("no error");
        }
        ours.close().await.expect("no error");
    }));
    let (ours, model) = (fs::read(dir.0.join("ours")), fs::read(dir.0.join("model")));
    assert!(
        ours.expect("ours") == model.expect("model"),
        "other content"
    );
}

#[test]
fn random_sequences_do_what_stds_file_does() {
    let cases = crate::support::setting("WAKELINE_TEST_FILE_CASES", 40);
    crate::support::for_each_backend(|backend| {
        for workers in [1, 2] {
            let runtime = backend.runtime(workers);
            let dir = Scratch::new(&format!("random-{}-{workers}", backend.name()));
            let config = ProptestConfig {
                failure_persistence: None,
                ..ProptestConfig::with_cases(cases as u32)
            };
            // The same sequences on each backend.
            let seed = TestRng::from_seed(prop::test_runner::RngAlgorithm::ChaCha, &[7; 32]);
            let mut runner = prop::test_runner::TestRunner::new_with_rng(config, seed);
            let result = runner.run(&vec(step(), 1..30), |steps| {
                agree(&runtime, &dir, &steps);
                Ok(())
            });
            result.unwrap_or_else(|error| panic!("on {}: {error}", backend.name()));
        }
    });
}
