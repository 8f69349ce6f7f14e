//! Headers of traces: what a request brings, whether its spans are reported, what is sent on.
//!
//! [`incoming::Incoming`] reads the headers of a request, [`decision::is_sampled`] decides, and
//! [`context::TraceContext`] writes the headers of the next hop. Ids of traces have 128 bits, those of spans 64.

pub mod b3;
pub mod context;
pub mod decision;
pub mod incoming;
pub mod request_id;
pub mod w3c;

/// A number of exactly as many hexadecimal digits as there are bytes; at most 32 of them. `None` for other text.
fn hex(text: &[u8]) -> Option<u128> {
    let mut number = 0;
    for byte in text {
        number = number << 4 | u128::from((*byte as char).to_digit(16)?);
    }
    (!text.is_empty() && text.len() <= 32).then_some(number)
}

/// The same in lower case alone, as W3C has it.
fn lower_hex(text: &[u8]) -> Option<u128> {
    let upper = text.iter().any(u8::is_ascii_uppercase);
    hex(text).filter(|_| !upper)
}

/// Writes a number as hexadecimal digits in lower case, the lowest digits if there are too few places.
fn write_hex(to: &mut [u8], mut number: u128) {
    for place in to.iter_mut().rev() {
        *place = b"0123456789abcdef"[(number & 15) as usize];
        number >>= 4;
    }
}

#[cfg(test)]
mod tests;
