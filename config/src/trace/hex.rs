//! Hexadecimal digits.

/// A number of exactly as many hexadecimal digits as there are bytes; at most 32 of them. `None` for other text.
pub(in crate::trace) fn hex(text: &[u8]) -> Option<u128> {
    let mut number = 0;
    for byte in text {
        number = number << 4 | u128::from((*byte as char).to_digit(16)?);
    }
    (!text.is_empty() && text.len() <= 32).then_some(number)
}

/// The same in lower case alone, as W3C has it.
pub(in crate::trace) fn lower_hex(text: &[u8]) -> Option<u128> {
    let upper = text.iter().any(u8::is_ascii_uppercase);
    hex(text).filter(|_| !upper)
}

/// Writes a number as hexadecimal digits in lower case, the lowest digits if there are too few places.
pub(in crate::trace) fn write_hex(to: &mut [u8], mut number: u128) {
    for place in to.iter_mut().rev() {
        *place = b"0123456789abcdef"[(number & 15) as usize];
        number >>= 4;
    }
}
