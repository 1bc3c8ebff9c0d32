// Included by doctests: the twenty lines that drive a reactor.

pub fn block_on<F: std::future::Future>(
    reactor: &wakeline_reactor::Reactor,
    future: F,
) -> std::io::Result<F::Output> {
    let _entered = reactor.enter();
    let mut future = std::pin::pin!(future);
    let mut cx = std::task::Context::from_waker(std::task::Waker::noop());
    loop {
        if let std::task::Poll::Ready(output) = future.as_mut().poll(&mut cx) {
            return Ok(output);
        }
        reactor.turn(None)?;
    }
}
