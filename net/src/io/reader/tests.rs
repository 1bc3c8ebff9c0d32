use super::*;
use std::task::Waker;

struct Never;

impl AsyncRead for Never {
    fn poll_read(
        self: Pin<&mut Self>,
        _: &mut Context<'_>,
        _: &mut [u8],
    ) -> Poll<io::Result<usize>> {
        Poll::Pending
    }
}

#[test]
fn a_reader_that_waits_with_nothing_buffered_holds_no_buffer() {
    let mut reader = BufReader::new(Never);
    let mut cx = Context::from_waker(Waker::noop());
    assert!(Pin::new(&mut reader.fill()).poll(&mut cx).is_pending());
    assert!(reader.buf.is_none());
}
