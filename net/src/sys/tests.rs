use super::*;

#[test]
fn a_transfer_is_short_only_between_nothing_and_all() {
    for (n, wanted, short) in [
        (0, 0, false),
        (0, 8, false),
        (1, 8, true),
        (7, 8, true),
        (8, 8, false),
    ] {
        let done = transferred(n, wanted);
        assert_eq!(done == Done::Short(n), short, "{n} of {wanted}");
    }
}

#[test]
fn a_read_is_short_when_nothing_is_left() {
    // (came, left, wanted, short)
    for (n, left, wanted, short) in [
        (8, Some(0), 8, true),
        (7, Some(0), 8, true),
        (7, Some(1), 8, false),
        (8, Some(1), 8, false),
        (0, Some(0), 8, false),
        (0, Some(1), 8, false),
        (7, None, 8, true),
        (8, None, 8, false),
        (0, None, 8, false),
    ] {
        let done = received(n, left, wanted);
        assert_eq!(
            done == Done::Short(n),
            short,
            "{n} of {wanted}, {left:?} left"
        );
    }
}

#[test]
fn only_errors_of_one_connection_are_skipped() {
    for (errno, skipped) in [
        (Errno::CONNABORTED, true),
        (Errno::PROTO, true),
        (Errno::MFILE, false),
        (Errno::AGAIN, false),
    ] {
        let error = io::Error::from(errno);
        assert_eq!(is_about_one_connection(&error), skipped, "{error}");
    }
}
