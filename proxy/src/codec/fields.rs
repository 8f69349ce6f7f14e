//! Header fields that HTTP/2 treats in its own way.

use egret_config::header_names::{KEEP_ALIVE, PROXY_CONNECTION};
use http::{HeaderMap, HeaderName, header};

/// The overhead of each field in the size of a header list, in bytes (RFC 9113, 6.5.2).
const FIELD_OVERHEAD: usize = 32;

/// Removes the connection-specific fields of HTTP/1, which HTTP/2 forbids (RFC 9113, 8.2.2).
pub fn strip(headers: &mut HeaderMap) {
    headers.remove(header::CONNECTION);
    headers.remove(KEEP_ALIVE);
    headers.remove(PROXY_CONNECTION);
    headers.remove(header::TRANSFER_ENCODING);
    headers.remove(header::UPGRADE);
    if headers
        .get(header::TE)
        .is_some_and(|coding| coding != "trailers")
    {
        headers.remove(header::TE);
    }
}

/// The content-length of a message; none where it is missing, invalid or ambiguous.
pub fn length(headers: &HeaderMap) -> Option<u64> {
    let mut length = None;
    for value in headers.get_all(header::CONTENT_LENGTH) {
        for item in value.to_str().ok()?.split(',') {
            let item = item.trim();
            // `parse` would accept a sign.
            if !item.bytes().all(|digit| digit.is_ascii_digit()) {
                return None;
            }
            let this = item.parse().ok()?;
            if length.is_some_and(|length| length != this) {
                return None;
            }
            length = Some(this);
        }
    }
    length
}

/// The size of a header list as HTTP/2 counts it.
pub fn size(headers: &HeaderMap) -> usize {
    let field = |(name, value): (&HeaderName, &http::HeaderValue)| {
        name.as_str().len() + value.len() + FIELD_OVERHEAD
    };
    headers.iter().map(field).sum()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lengths(values: &[&str]) -> Option<u64> {
        let mut headers = HeaderMap::new();
        for value in values {
            headers.append(header::CONTENT_LENGTH, value.parse().expect("value"));
        }
        length(&headers)
    }

    #[test]
    fn equal_lengths_are_one_length() {
        assert_eq!(lengths(&[]), None);
        assert_eq!(lengths(&["12"]), Some(12));
        assert_eq!(lengths(&["12", "12, 12"]), Some(12));
        assert_eq!(lengths(&["12", "13"]), None);
        for wrong in ["", "+1", "-1", "1 2", "0x1", "99999999999999999999"] {
            assert_eq!(lengths(&[wrong]), None, "{wrong}");
        }
    }

    #[test]
    fn connection_fields_are_removed() {
        let mut headers = HeaderMap::new();
        for (name, value) in [
            ("connection", "close"),
            ("keep-alive", "5"),
            ("proxy-connection", "close"),
            ("transfer-encoding", "chunked"),
            ("upgrade", "h2c"),
            ("te", "gzip"),
            ("x-kept", "1"),
        ] {
            headers.insert(name, value.parse().expect("value"));
        }
        strip(&mut headers);
        assert_eq!(headers.len(), 1);
        assert_eq!(size(&headers), "x-kept".len() + 1 + 32);
        headers.insert("te", "trailers".parse().expect("value"));
        strip(&mut headers);
        assert_eq!(headers["te"], "trailers");
    }
}
