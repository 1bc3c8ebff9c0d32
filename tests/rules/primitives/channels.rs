//! Channels and queues, both ends.

use super::{Primitive, row};
use crate::world::{Lent, World, leak};
use std::cell::RefCell;
use wakeline::stream::StreamExt;
use wakeline::sync::{broadcast, mpsc, oneshot, queue, watch};

pub(super) fn rows() -> Vec<Primitive> {
    let mut rows = receivers();
    rows.extend(senders());
    rows
}

fn receivers() -> Vec<Primitive> {
    vec![
        row!("oneshot::Receiver", Only, async {
            let (sender, receiver) = oneshot::channel();
            let (mut sender, receiver) = (Some(sender), Lent::new(receiver));
            let wait = move || {
                let mut receiver = receiver.take();
                async move { receiver.get().await }
            };
            World::new(wait, move || {
                let _ = sender.take().map(|sender| sender.send(7));
            })
        }, NoTrace: "the future is the receiver itself; its waker goes with the channel, as tested in `a_handle_that_goes_takes_its_waker_along`"),
        row!("mpsc::Receiver::recv", Only, async {
            let (sender, receiver) = mpsc::channel(1);
            let receiver = Lent::new(receiver);
            let wait = move || {
                let mut receiver = receiver.take();
                async move { receiver.get().recv().await }
            };
            World::new(wait, move || {
                let _ = sender.try_send(7);
            })
        }),
        row!("broadcast::Receiver::recv", Only, async {
            let (sender, receiver) = broadcast::channel(1);
            let receiver = Lent::new(receiver);
            let wait = move || {
                let mut receiver = receiver.take();
                async move { receiver.get().recv().await }
            };
            World::new(wait, move || {
                let _ = sender.send(7);
            })
        }),
        row!("mpsc::Receiver as Stream", Only, async {
            let (sender, receiver) = mpsc::channel(1);
            let receiver = Lent::new(receiver);
            let wait = move || {
                let mut receiver = receiver.take();
                async move { receiver.get().next().await }
            };
            World::new(wait, move || {
                let _ = sender.try_send(7);
            })
        }, NoTrace: "the waker is the stream's, for its next item; tested in `a_handle_that_goes_takes_its_waker_along`"),
        row!("broadcast::Receiver as Stream", Only, async {
            let (sender, receiver) = broadcast::channel(1);
            let receiver = Lent::new(receiver);
            let wait = move || {
                let mut receiver = receiver.take();
                async move { receiver.get().next().await }
            };
            World::new(wait, move || {
                let _ = sender.send(7);
            })
        }, NoTrace: "the waker is the stream's, for its next item; tested in `a_handle_that_goes_takes_its_waker_along`"),
        row!("watch::Receiver::changed", Only, async {
            let (sender, receiver) = watch::channel(0);
            let receiver = Lent::new(receiver);
            let wait = move || {
                let mut receiver = receiver.take();
                async move { receiver.get().changed().await }
            };
            World::new(wait, move || {
                let _ = sender.send(7);
            })
        }),
        row!("watch::Receiver::wait_for", Only, async {
            let (sender, receiver) = watch::channel(0);
            let receiver = Lent::new(receiver);
            let wait = move || {
                let mut receiver = receiver.take();
                async move {
                    receiver
                        .get()
                        .wait_for(|value| *value == 7)
                        .await
                        .map(|seen| *seen)
                }
            };
            World::new(wait, move || {
                let _ = sender.send(7);
            })
        }),
        row!("queue::Consumer::recv", One, async {
            let (producer, consumer) = queue::fifo(8);
            let (producer, consumer) = (leak(producer), leak(consumer));
            World::new(
                || consumer.recv(),
                || {
                    let _ = producer.try_send(7);
                },
            )
            .attempt(|| consumer.try_recv().is_ok())
            .state(consumer)
        }),
        row!("queue::Consumer::join", All, async {
            let (producer, consumer) = queue::fifo(8);
            let (producer, consumer) = (leak(producer), leak(consumer));
            producer.try_send(7).expect("there is room");
            World::new(|| consumer.join(), || drop(consumer.try_recv())).state(producer)
        }),
    ]
}

fn senders() -> Vec<Primitive> {
    vec![
        row!("oneshot::Sender::closed", Only, async {
            let (sender, receiver) = oneshot::channel::<u8>();
            let (sender, mut receiver) = (Lent::new(sender), Some(receiver));
            let wait = move || {
                let mut sender = sender.take();
                async move { sender.get().closed().await }
            };
            World::new(wait, move || drop(receiver.take()))
        }, NoTrace: "the waker is the sender's and goes with it, as tested in `a_handle_that_goes_takes_its_waker_along`"),
        row!("mpsc::Sender::send", One, async {
            let (sender, receiver) = mpsc::channel(1);
            let (sender, receiver) = (leak(sender), RefCell::new(receiver));
            sender.try_send(0).expect("there is room");
            World::new(
                || sender.send(7),
                move || {
                    let _ = receiver.borrow_mut().try_recv();
                },
            )
            .attempt(|| sender.try_send(8).is_ok())
            .state(sender)
        }),
        row!("mpsc::Sender::reserve", One, async {
            let (sender, receiver) = mpsc::channel(1);
            let (sender, receiver) = (leak(sender), RefCell::new(receiver));
            sender.try_send(0).expect("there is room");
            World::new(
                || sender.reserve(),
                move || {
                    let _ = receiver.borrow_mut().try_recv();
                },
            )
            .attempt(|| sender.try_reserve().is_ok())
            .state(sender)
        }),
        row!("mpsc::Sender::closed", All, async {
            let (sender, receiver) = mpsc::channel::<u8>(1);
            let (sender, mut receiver) = (leak(sender), Some(receiver));
            World::new(|| sender.closed(), move || drop(receiver.take())).state(sender)
        }),
        row!("watch::Sender::closed", All, async {
            let (sender, receiver) = watch::channel(0);
            let (sender, mut receiver) = (leak(sender), Some(receiver));
            World::new(|| sender.closed(), move || drop(receiver.take())).state(sender)
        }),
        row!("queue::Producer::send", One, async {
            let (producer, consumer) = queue::fifo(1);
            let (producer, consumer) = (leak(producer), leak(consumer));
            producer.try_send(0).expect("there is room");
            World::new(|| producer.send(7), || drop(consumer.try_recv()))
                .attempt(|| producer.try_send(8).is_ok())
                .state(producer)
        }),
        row!("queue::Producer::reserve", One, async {
            let (producer, consumer) = queue::fifo(1);
            let (producer, consumer) = (leak(producer), leak(consumer));
            producer.try_send(0).expect("there is room");
            World::new(|| producer.reserve(), || drop(consumer.try_recv()))
                .attempt(|| producer.try_reserve().is_ok())
                .state(producer)
        }),
    ]
}
