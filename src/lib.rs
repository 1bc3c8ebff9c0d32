//! wakeline: an async runtime meant to be read.
