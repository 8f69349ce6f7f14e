//! Random numbers, as an argument.

/// A source of random numbers: returns one below its argument. Passed in, so that decisions can be repeated.
pub type Dice<'d> = &'d mut dyn FnMut(u64) -> u64;
