//! The parts that need no executor.

use std::env::VarError;
use std::time::{Duration, Instant};

use super::config::on_by_environment;
use super::error_in;
use super::hook::Limit;

#[test]
fn the_environment_says_one_or_zero_and_nothing_else() {
    let says = |value: &str| on_by_environment(Ok(value.to_owned()));
    assert!(says("1").unwrap());
    assert!(!says("0").unwrap());
    assert!(!says("").unwrap());
    assert!(!on_by_environment(Err(VarError::NotPresent)).unwrap());
    let error = says("yes").unwrap_err();
    assert_eq!(error.kind(), std::io::ErrorKind::InvalidInput);
    assert!(error.to_string().starts_with("WAKELINE_DEBUG=yes: use 1 "));
}

#[test]
fn what_a_second_has_no_room_for_is_counted_and_told_by_the_next() {
    let start = Instant::now();
    let mut limit = Limit::new(2);
    assert_eq!(limit.admit(start), Some(0));
    assert_eq!(limit.admit(start), Some(0));
    for _ in 0..5 {
        assert_eq!(limit.admit(start + Duration::from_millis(999)), None);
    }
    assert_eq!(limit.admit(start + Duration::from_secs(1)), Some(5));
    assert_eq!(limit.admit(start + Duration::from_secs(1)), Some(0));
    assert_eq!(limit.admit(start + Duration::from_secs(1)), None);
}

#[test]
fn a_clock_that_goes_back_ends_no_second() {
    let start = Instant::now();
    let mut limit = Limit::new(1);
    assert_eq!(limit.admit(start + Duration::from_secs(9)), Some(0));
    assert_eq!(limit.admit(start), None);
}

#[test]
fn a_limit_of_zero_admits_nothing() {
    assert_eq!(Limit::new(0).admit(Instant::now()), None);
}

#[test]
fn errors_are_seen_in_the_results_of_std_and_in_no_others() {
    let io = std::io::Error::other("disk");
    assert_eq!(
        error_in::<std::io::Result<()>>(&Err(io)).as_deref(),
        Some("disk")
    );
    let boxed: Result<(), Box<dyn std::error::Error + Send + Sync>> = Err("a box".into());
    assert_eq!(error_in(&boxed).as_deref(), Some("a box"));
    let text: Result<(), String> = Err("a text".to_owned());
    assert_eq!(error_in(&text).as_deref(), Some("a text"));
    assert_eq!(error_in::<Result<(), String>>(&Ok(())), None);
    assert_eq!(error_in::<Result<(), u8>>(&Err(3)), None);
    assert_eq!(error_in(&7), None);
}
