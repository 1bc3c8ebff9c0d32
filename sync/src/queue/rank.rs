//! Which item of a priority queue comes first.

/// A value with a place in a [priority queue](super::priority): the lowest
/// rank comes first.
///
/// The rank is asked for once, when the value is put. A pair is ranked by its
/// first part, if that is an integer.
///
/// # Example
///
/// ```
/// use wakeline_sync::queue::{self, Rank};
///
/// struct Call {
///     urgent: bool,
///     number: &'static str,
/// }
///
/// impl Rank for Call {
///     fn rank(&self) -> i64 {
///         if self.urgent { 0 } else { 1 }
///     }
/// }
///
/// let (producer, consumer) = queue::priority(8);
/// for (urgent, number) in [(false, "1"), (true, "2"), (false, "3")] {
///     producer.try_send(Call { urgent, number }).ok();
/// }
/// assert_eq!(consumer.try_recv().expect("it was put").number, "2");
/// assert_eq!(consumer.try_recv().expect("it was put").number, "1");
/// ```
pub trait Rank {
    /// The place of this value: the lowest is taken first.
    fn rank(&self) -> i64;
}

macro_rules! ranked {
    ($($integer:ty)*) => {$(
        impl Rank for $integer {
            fn rank(&self) -> i64 {
                i64::from(*self)
            }
        }

        impl<V> Rank for ($integer, V) {
            fn rank(&self) -> i64 {
                i64::from(self.0)
            }
        }
    )*};
}
ranked!(i8 u8 i16 u16 i32 u32 i64);
