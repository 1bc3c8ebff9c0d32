//! What must be in a queue, kept in a plain vector.

/// A value with the number of its put, once it was put; the rank is the byte.
pub(super) type Value = (u8, u32);

#[derive(Clone, Copy, Debug)]
pub(super) enum Order {
    Fifo,
    Lifo,
    Priority,
}

/// What must be there, and in which order it comes.
pub(super) struct Dull {
    order: Order,
    /// (number of the put, value), as put.
    pub(super) stored: Vec<(u32, Value)>,
    puts: u32,
    pub(super) in_hand: usize,
    pub(super) dead: bool,
}

impl Dull {
    pub(super) fn new(order: Order) -> Dull {
        Dull {
            order,
            stored: Vec::new(),
            puts: 0,
            in_hand: 0,
            dead: false,
        }
    }

    pub(super) fn put(&mut self, value: Value) {
        self.stored.push((self.puts, value));
        self.puts += 1;
    }

    pub(super) fn put_back(&mut self, number: u32, value: Value) {
        self.in_hand -= 1;
        if !self.dead {
            self.stored.push((number, value));
        }
    }

    /// The next one is this.
    pub(super) fn get(&mut self, value: Value) -> u32 {
        let next = match self.order {
            Order::Fifo => self.stored.iter().min_by_key(|(number, _)| *number),
            Order::Lifo => self.stored.iter().max_by_key(|(number, _)| *number),
            Order::Priority => self
                .stored
                .iter()
                .min_by_key(|(number, value)| (value.0, *number)),
        };
        let next = *next.expect("something is there");
        assert_eq!(next.1, value);
        self.stored.retain(|stored| stored.0 != next.0);
        self.in_hand += 1;
        next.0
    }
}
