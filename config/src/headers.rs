//! Look-ups in the head of a message. A head has few headers: comparing their names costs less than hashing one that is long.

use http::{HeaderMap, HeaderName, HeaderValue};

/// The first value of a header.
#[inline]
pub fn value_of<'h>(headers: &'h HeaderMap, name: &HeaderName) -> Option<&'h HeaderValue> {
    let mut values = headers.iter().filter(|(other, _)| *other == name);
    values.next().map(|(_, value)| value)
}

/// Removes a header that is mostly not there.
#[inline]
pub fn remove(headers: &mut HeaderMap, name: &HeaderName) -> Option<HeaderValue> {
    match headers.keys().any(|other| other == name) {
        true => headers.remove(name),
        false => None,
    }
}

#[cfg(test)]
mod tests {
    use http::header;

    use super::*;

    #[test]
    fn the_first_value_counts_and_all_are_removed() {
        let mut headers = HeaderMap::new();
        for (name, value) in [
            (header::ACCEPT, "a"),
            (header::COOKIE, "b=1"),
            (header::COOKIE, "c=2"),
        ] {
            headers.append(name, HeaderValue::from_static(value));
        }
        assert_eq!(value_of(&headers, &header::COOKIE).unwrap(), "b=1");
        assert_eq!(value_of(&headers, &header::HOST), None);
        assert_eq!(remove(&mut headers, &header::HOST), None);
        assert_eq!(remove(&mut headers, &header::COOKIE).unwrap(), "b=1");
        assert_eq!(headers.len(), 1);
    }
}
