//! Turns kernel events into wakes.
