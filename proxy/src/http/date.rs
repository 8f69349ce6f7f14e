//! The current time in the format of HTTP (RFC 9110, 5.6.7).

use std::cell::RefCell;
use std::time::{SystemTime, UNIX_EPOCH};

use bytes::Bytes;
use http::HeaderValue;
use jiff::Timestamp;
use jiff::fmt::rfc2822::DateTimePrinter;

thread_local! {
    /// The second, and its text.
    static NOW: RefCell<Option<(u64, HeaderValue)>> = const { RefCell::new(None) };
}

/// The current time. The text is made once a second.
pub fn now() -> Option<HeaderValue> {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).ok()?.as_secs();
    NOW.with_borrow_mut(|known| match known {
        Some((second, text)) if *second == now => Some(text.clone()),
        _ => {
            let (_, text) = known.insert((now, formatted(now)?));
            Some(text.clone())
        }
    })
}

fn formatted(second: u64) -> Option<HeaderValue> {
    let moment = Timestamp::from_second(second.try_into().ok()?).ok()?;
    let text = DateTimePrinter::new().timestamp_to_rfc9110_string(&moment);
    HeaderValue::from_maybe_shared(Bytes::from(text.ok()?)).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_second_is_formatted_for_http() {
        assert_eq!(
            formatted(784_111_777).expect("a date"),
            "Sun, 06 Nov 1994 08:49:37 GMT"
        );
        assert_eq!(now().map(|date| date.len()), Some(29));
    }
}
