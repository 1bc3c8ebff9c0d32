//! What only shows from inside: the way without a pidfd, and the list of orphans.
