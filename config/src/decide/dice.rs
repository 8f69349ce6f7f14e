//! Chance, as an argument.

/// A source of chance: returns a number below its argument. Passed in, so that decisions can be repeated.
pub type Dice<'d> = &'d mut dyn FnMut(u64) -> u64;
