//! Streams in memory: bytes arrive as they went, room and end are as with sockets.

use proptest::prelude::*;
use std::collections::VecDeque;
use std::io::{ErrorKind, IoSlice, IoSliceMut, Result};
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Context, Poll, Wake, Waker};
use std::thread;
use wakeline_net::io::{
    self, AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, DuplexStream, SimplexReader,
    SimplexWriter, copy_bidirectional, duplex, simplex,
};
use wakeline_net::testing::{block_on, both, poll_now};

/// Counts its calls.
#[derive(Default)]
struct Calls(AtomicUsize);

impl Wake for Calls {
    fn wake(self: Arc<Self>) {
        self.0.fetch_add(1, Ordering::Relaxed);
    }
}

impl Calls {
    fn count(&self) -> usize {
        self.0.load(Ordering::Relaxed)
    }
}

/// What a script does to a stream.
#[derive(Clone, Debug)]
enum Step {
    Write(Vec<usize>),
    Read(Vec<usize>),
    Close,
    DropWriter,
    DropReader,
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let sizes = || prop::collection::vec(0..12_usize, 1..4);
    let step = prop_oneof![
        20 => sizes().prop_map(Step::Write),
        20 => sizes().prop_map(Step::Read),
        1 => Just(Step::Close),
        1 => Just(Step::DropWriter),
        1 => Just(Step::DropReader),
    ];
    prop::collection::vec(step, 1..80)
}

/// What should come of it.
struct Model {
    held: VecDeque<u8>,
    capacity: usize,
    ended: bool,
    abandoned: bool,
    next: u8,
}

/// A poll's outcome that can be compared.
type Outcome = Poll<std::result::Result<Vec<u8>, ErrorKind>>;

impl Model {
    /// The numbers that the next buffers hold.
    fn bytes(&self, sizes: &[usize]) -> Vec<Vec<u8>> {
        let mut next = self.next;
        let mut numbers = |size: &usize| {
            let buf = (0..*size).map(|n| next.wrapping_add(u8::try_from(n).expect("few")));
            let buf: Vec<u8> = buf.collect();
            next = next.wrapping_add(u8::try_from(*size).expect("few"));
            buf
        };
        sizes.iter().map(&mut numbers).collect()
    }

    fn write(&mut self, sizes: &[usize]) -> Outcome {
        let asked: usize = sizes.iter().sum();
        if asked == 0 {
            return Poll::Ready(Ok(Vec::new()));
        }
        if self.ended || self.abandoned {
            return Poll::Ready(Err(ErrorKind::BrokenPipe));
        }
        let count = asked.min(self.capacity - self.held.len());
        if count == 0 {
            return Poll::Pending;
        }
        let written: Vec<u8> = self.bytes(sizes).concat()[..count].to_vec();
        self.held.extend(&written);
        self.next = self.next.wrapping_add(u8::try_from(count).expect("few"));
        Poll::Ready(Ok(written))
    }

    fn read(&mut self, sizes: &[usize]) -> Outcome {
        let asked: usize = sizes.iter().sum();
        if asked > 0 && self.held.is_empty() && !self.ended {
            return Poll::Pending;
        }
        let count = asked.min(self.held.len());
        Poll::Ready(Ok(self.held.drain(..count).collect()))
    }
}

fn written(writer: &mut SimplexWriter, bufs: &[Vec<u8>], cx: &mut Context<'_>) -> Outcome {
    let slices: Vec<IoSlice<'_>> = bufs.iter().map(|buf| IoSlice::new(buf)).collect();
    let polled = match &slices[..] {
        [one] => Pin::new(writer).poll_write(cx, one),
        several => Pin::new(writer).poll_write_vectored(cx, several),
    };
    let all = bufs.concat();
    polled.map(|count| {
        count
            .map(|n| all[..n].to_vec())
            .map_err(|error| error.kind())
    })
}

fn read(reader: &mut SimplexReader, sizes: &[usize], cx: &mut Context<'_>) -> Outcome {
    let mut bufs: Vec<Vec<u8>> = sizes.iter().map(|size| vec![0; *size]).collect();
    let polled = match &mut bufs[..] {
        [one] => Pin::new(reader).poll_read(cx, one),
        several => {
            let mut slices: Vec<IoSliceMut<'_>> =
                several.iter_mut().map(|buf| IoSliceMut::new(buf)).collect();
            Pin::new(reader).poll_read_vectored(cx, &mut slices)
        }
    };
    let all = bufs.concat();
    polled.map(|count| {
        count
            .map(|n| all[..n].to_vec())
            .map_err(|error| error.kind())
    })
}

proptest! {
    /// Each poll gives what a queue with these borders gives, and who waits is
    /// woken by the step that lets it go on, once.
    #[test]
    fn a_stream_is_a_queue_of_bytes(capacity in 1..20_usize, steps in steps()) {
        let (reader, writer) = simplex(capacity);
        let (mut reader, mut writer) = (Some(reader), Some(writer));
        let mut model = Model {
            held: VecDeque::new(),
            capacity,
            ended: false,
            abandoned: false,
            next: 0,
        };
        let (read_calls, write_calls) = (Arc::new(Calls::default()), Arc::new(Calls::default()));
        let (read_waker, write_waker) =
            (Waker::from(Arc::clone(&read_calls)), Waker::from(Arc::clone(&write_calls)));
        let (mut reader_waits, mut writer_waits) = (false, false);
        for step in steps {
            let (reads, writes) = (read_calls.count(), write_calls.count());
            let (mut wakes_reader, mut wakes_writer) = (false, false);
            match step {
                Step::Write(sizes) => {
                    let Some(writer) = &mut writer else { continue };
                    let bufs = model.bytes(&sizes);
                    let expected = model.write(&sizes);
                    let mut cx = Context::from_waker(&write_waker);
                    prop_assert_eq!(written(writer, &bufs, &mut cx), expected.clone());
                    writer_waits |= expected.is_pending();
                    wakes_reader = matches!(&expected, Poll::Ready(Ok(bytes)) if !bytes.is_empty());
                }
                Step::Read(sizes) => {
                    let Some(reader) = &mut reader else { continue };
                    let expected = model.read(&sizes);
                    let mut cx = Context::from_waker(&read_waker);
                    prop_assert_eq!(read(reader, &sizes, &mut cx), expected.clone());
                    reader_waits |= expected.is_pending();
                    wakes_writer = matches!(&expected, Poll::Ready(Ok(bytes)) if !bytes.is_empty());
                }
                Step::Close => {
                    let Some(writer) = &mut writer else { continue };
                    let mut cx = Context::from_waker(&write_waker);
                    prop_assert!(Pin::new(writer).poll_close(&mut cx).is_ready());
                    (model.ended, wakes_reader, wakes_writer) = (true, true, true);
                }
                Step::DropWriter => {
                    if writer.take().is_none() { continue }
                    writer_waits = false;
                    (model.ended, wakes_reader) = (true, true);
                }
                Step::DropReader => {
                    if reader.take().is_none() { continue }
                    reader_waits = false;
                    (model.abandoned, wakes_writer) = (true, true);
                    model.held.clear();
                }
            }
            let woken = (read_calls.count() - reads, write_calls.count() - writes);
            let expected =
                (usize::from(wakes_reader && reader_waits), usize::from(wakes_writer && writer_waits));
            prop_assert_eq!(woken, expected);
            reader_waits &= !wakes_reader;
            writer_waits &= !wakes_writer;
        }
    }
}

const BYTES: usize = 50_001;

/// Sends bytes that tell their place, and gives what came back.
async fn echo_check(stream: DuplexStream) -> Result<()> {
    let (mut reader, mut writer) = stream.into_split();
    let sent: Vec<u8> = (0..BYTES).map(|n| (n * 31 / 7) as u8).collect();
    let mut came = Vec::new();
    let send = async {
        writer.write_all(&sent).await?;
        writer.close().await
    };
    let (wrote, read) = both(send, reader.read_to_end(&mut came)).await;
    wrote.and(read.map(drop))?;
    assert!(came == sent, "what came back is not what was sent");
    Ok(())
}

async fn echo(stream: DuplexStream) -> Result<()> {
    let (mut reader, mut writer) = stream.into_split();
    io::copy(&mut reader, &mut writer).await?;
    writer.close().await
}

#[test]
fn what_is_echoed_through_a_narrow_stream_comes_back_whole() {
    for capacity in [1, 7, 4096, 1 << 22] {
        let (here, there) = duplex(capacity);
        let (checked, echoed) = block_on(both(echo_check(here), echo(there)));
        checked.and(echoed).expect("nothing breaks");
    }
}

#[test]
fn the_ends_work_on_different_threads() {
    let (here, there) = duplex(100);
    let echoing = thread::spawn(|| block_on(echo(there)));
    block_on(echo_check(here)).expect("nothing breaks");
    echoing.join().expect("it ends").expect("nothing breaks");
}

#[test]
fn two_streams_are_joined_by_copying_both_ways() {
    let (client, mut front) = duplex(10);
    let (mut back, server) = duplex(1000);
    let (checked, (echoed, copied)) = block_on(both(
        echo_check(client),
        both(echo(server), copy_bidirectional(&mut front, &mut back)),
    ));
    checked.and(echoed).expect("nothing breaks");
    let moved = u64::try_from(BYTES).expect("it fits");
    assert_eq!(copied.expect("both ends"), (moved, moved));
}

#[test]
fn an_end_that_is_closed_for_writing_still_reads() {
    block_on(async {
        let (mut here, mut there) = duplex(16);
        here.write_all(b"question").await.expect("there is room");
        here.close().await.expect("it is open");
        let late = here.write(b"more").await.expect_err("it is closed");
        assert_eq!(late.kind(), ErrorKind::BrokenPipe);
        assert!(
            late.to_string().contains("was closed for writing"),
            "{late}"
        );
        let mut question = String::new();
        there.read_to_string(&mut question).await.expect("its end");
        there.write_all(b"answer").await.expect("there is room");
        drop(there);
        let mut answer = String::new();
        here.read_to_string(&mut answer).await.expect("its end");
        assert_eq!((&*question, &*answer), ("question", "answer"));
    });
}

#[test]
fn a_write_that_nobody_will_read_says_so() {
    block_on(async {
        let (mut here, there) = duplex(4);
        here.write_all(b"full").await.expect("there is room");
        let mut write = pin!(here.write(b"x"));
        assert!(poll_now(write.as_mut()).is_pending());
        drop(there);
        let error = write.await.expect_err("nobody reads");
        assert_eq!(error.kind(), ErrorKind::BrokenPipe);
        assert!(error.to_string().contains("nobody reads"), "{error}");
        assert_eq!(here.read(&mut [0; 4]).await.expect("the end"), 0);
    });
}

/// The other end may live long after, and a waker keeps its task.
#[test]
fn an_end_that_is_dropped_takes_its_waker_along() {
    let calls = Arc::new(Calls::default());
    let waker = Waker::from(Arc::clone(&calls));
    let mut cx = Context::from_waker(&waker);
    let held = Arc::strong_count(&calls);

    let (mut reader, writer) = simplex(1);
    assert!(read(&mut reader, &[1], &mut cx).is_pending());
    assert_eq!(Arc::strong_count(&calls), held + 1);
    drop(reader);
    assert_eq!(Arc::strong_count(&calls), held);
    drop(writer);

    let (reader, mut writer) = simplex(1);
    assert!(written(&mut writer, &[vec![7]], &mut cx).is_ready());
    assert!(written(&mut writer, &[vec![8]], &mut cx).is_pending());
    assert_eq!(Arc::strong_count(&calls), held + 1);
    drop(writer);
    assert_eq!(Arc::strong_count(&calls), held);
    drop(reader);
    assert_eq!(calls.count(), 0, "who has gone hears of nothing");
}

/// As a write to a socket that is shut down meanwhile.
#[test]
fn a_close_wakes_the_write_that_waits() {
    let calls = Arc::new(Calls::default());
    let waker = Waker::from(Arc::clone(&calls));
    let mut cx = Context::from_waker(&waker);
    let (_reader, mut writer) = simplex(1);
    assert!(written(&mut writer, &[vec![7, 8]], &mut cx).is_ready());
    assert!(written(&mut writer, &[vec![8]], &mut cx).is_pending());
    assert!(poll_now(pin!(writer.close())).is_ready());
    assert_eq!(calls.count(), 1);
    let refused = Poll::Ready(Err(ErrorKind::BrokenPipe));
    assert_eq!(written(&mut writer, &[vec![8]], &mut cx), refused);
}

/// What a stream is written to as text may read from it.
#[test]
fn a_stream_is_not_locked_while_it_is_written_as_text() {
    struct Reads(SimplexReader);

    impl std::fmt::Write for Reads {
        fn write_str(&mut self, _: &str) -> std::fmt::Result {
            let polled = read(&mut self.0, &[1], &mut Context::from_waker(Waker::noop()));
            assert!(polled.is_pending());
            Ok(())
        }
    }

    let (reader, writer) = simplex(1);
    std::fmt::Write::write_fmt(&mut Reads(reader), format_args!("{writer:?}")).expect("text");
}

#[test]
fn a_dropped_read_or_write_has_done_nothing() {
    let (mut reader, mut writer) = simplex(4);
    assert!(poll_now(pin!(reader.read(&mut [0; 4]))).is_pending());
    assert!(matches!(
        poll_now(pin!(writer.write(b"abcdef"))),
        Poll::Ready(Ok(4))
    ));
    assert!(poll_now(pin!(writer.write(b"ef"))).is_pending());
    let mut buf = [0; 8];
    assert!(matches!(
        poll_now(pin!(reader.read(&mut buf))),
        Poll::Ready(Ok(4))
    ));
    assert_eq!(&buf[..4], b"abcd");
    assert!(poll_now(pin!(reader.read(&mut buf))).is_pending());
}

#[test]
#[should_panic(expected = "a capacity of 0 lets no byte pass")]
fn a_stream_without_room_is_refused() {
    let _ends = duplex(0);
}
