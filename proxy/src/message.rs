//! What HTTP messages are made of whoever speaks: bodies that come, whatever carries them, and what both sides of HTTP/2
//! have in common. Neither who asks nor what is asked is known here.

pub mod incoming;
pub mod fields;
pub mod pump;
pub mod trailers;
pub mod pulse;
