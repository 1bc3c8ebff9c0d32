//! The decision as a table.

use super::*;
