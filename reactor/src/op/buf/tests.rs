use super::*;

/// What a read does: as many of `bytes` as there is room for.
fn fill(buf: &mut impl IoBufMut, bytes: &[u8]) -> usize {
    let (to, room) = buf.room();
    let n = bytes.len().min(room);
    // SAFETY: `room` bytes belong to the buffer, which is borrowed mutably.
    unsafe { std::ptr::copy_nonoverlapping(bytes.as_ptr(), to, n) };
    // SAFETY: just done.
    unsafe { buf.filled(n) };
    n
}

#[test]
fn a_read_appends_to_what_can_grow_and_overwrites_what_cannot() {
    let mut vec = Vec::with_capacity(8);
    vec.extend_from_slice(b"ab");
    assert_eq!(fill(&mut vec, b"cdef"), 4);
    assert_eq!(vec, b"abcdef");

    let mut bytes = BytesMut::with_capacity(8);
    bytes.extend_from_slice(b"ab");
    assert_eq!(fill(&mut bytes, b"cdef"), 4);
    assert_eq!(bytes, b"abcdef"[..]);

    let mut boxed: Box<[u8]> = b"......".to_vec().into();
    assert_eq!(fill(&mut boxed, b"abcd"), 4);
    assert_eq!(&boxed[..], b"abcd..");

    let mut part = b"......".to_vec().slice(1..4);
    assert_eq!(fill(&mut part, b"abcdef"), 3);
    assert_eq!(part.into_inner(), b".abc..");
}

#[test]
fn nothing_goes_where_there_is_no_room() {
    assert_eq!(fill(&mut Vec::new(), b"x"), 0);
    assert_eq!(fill(&mut Box::<[u8]>::default(), b"x"), 0);
    assert_eq!(fill(&mut BytesMut::new(), b"x"), 0);
    assert_eq!(fill(&mut b"ab".to_vec().slice(1..1), b"x"), 0);
}

#[test]
fn a_part_of_a_part_counts_from_the_part() {
    let mut inner = b"0123456789".to_vec().slice(2..8).slice(1..=3);
    assert_eq!(inner.bytes(), b"345");
    assert_eq!(fill(&mut inner, b"xyz"), 3);
    assert_eq!(inner.into_inner().into_inner(), b"012xyz6789");
}

#[test]
fn a_shared_bytes_mut_lends_only_its_own_part() {
    let mut front = BytesMut::with_capacity(16);
    front.extend_from_slice(b"headbody");
    let back = front.split_off(4);
    let (_, room) = front.room();
    fill(&mut front, &[b'x'; 16]);
    assert_eq!(front.len(), 4 + room);
    assert_eq!(back, b"body"[..], "the other part is untouched");
}

#[test]
fn what_cannot_be_filled_can_be_sent() {
    assert_eq!(Bytes::from_static(b"abc").slice(1..).bytes(), b"bc");
    assert_eq!(IoBuf::bytes(&String::from("abc")), b"abc");
    assert_eq!(IoBuf::bytes(&"abc"), b"abc");
    assert_eq!(IoBuf::bytes(&&b"abc"[..]), b"abc");
    assert_eq!(IoBuf::bytes(&Vec::<u8>::new()), b"", "no memory at all");
}

#[test]
#[should_panic(expected = "the part 1..4 is not within the buffer's 3 bytes")]
fn a_part_ends_within_the_buffer() {
    let _ = vec![0; 3].slice(1..4);
}

#[test]
#[should_panic(expected = "the part 2..1 is not within the buffer's 3 bytes")]
#[expect(clippy::reversed_empty_ranges, reason = "the point of the test")]
fn a_part_begins_before_it_ends() {
    let _ = vec![0; 3].slice(2..1);
}

/// A buffer whose clones are shorter than it is: odd, but not unsafe.
#[derive(Default)]
struct Shrinks(Vec<u8>);

// SAFETY: as of `Vec<u8>`, which is inside.
unsafe impl IoBuf for Shrinks {
    fn as_ptr(&self) -> *const u8 {
        self.0.as_ptr()
    }

    fn len(&self) -> usize {
        self.0.len()
    }
}

impl Clone for Shrinks {
    fn clone(&self) -> Shrinks {
        Shrinks(Vec::new())
    }
}

#[test]
fn the_clone_of_a_part_has_the_same_range() {
    let part = b"012345".to_vec().slice(2..4);
    assert_eq!(part.clone().bytes(), b"23");
    assert_eq!(part.clone().range(), part.range());
}

#[test]
#[should_panic(expected = "the part 1..4 is not within the buffer's 0 bytes")]
fn a_part_is_not_cloned_onto_a_shorter_buffer() {
    let part = Shrinks(b"012345".to_vec()).slice(1..4);
    let _ = part.clone();
}
