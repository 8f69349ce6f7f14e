//! Now, as HTTP says it.

use std::cell::RefCell;
use std::time::{SystemTime, UNIX_EPOCH};

use bytes::Bytes;
use http::HeaderValue;
use jiff::Timestamp;
use jiff::fmt::rfc2822::DateTimePrinter;

thread_local! {
    /// The second, and its words.
    static NOW: RefCell<Option<(u64, HeaderValue)>> = const { RefCell::new(None) };
}

/// Now. Its words are made once a second.
pub(super) fn now() -> Option<HeaderValue> {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).ok()?.as_secs();
    NOW.with_borrow_mut(|known| match known {
        Some((second, words)) if *second == now => Some(words.clone()),
        _ => {
            let (_, words) = known.insert((now, said(now)?));
            Some(words.clone())
        }
    })
}

fn said(second: u64) -> Option<HeaderValue> {
    let moment = Timestamp::from_second(second.try_into().ok()?).ok()?;
    let words = DateTimePrinter::new().timestamp_to_rfc9110_string(&moment);
    HeaderValue::from_maybe_shared(Bytes::from(words.ok()?)).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_second_is_said_as_http_says_it() {
        assert_eq!(
            said(784_111_777).expect("a date"),
            "Sun, 06 Nov 1994 08:49:37 GMT"
        );
        assert_eq!(now().map(|date| date.len()), Some(29));
    }
}
