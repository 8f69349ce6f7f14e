//! Whether the head of an HTTP/1 response says in one way only where its body ends. Hyper takes what is doubtful, and a
//! client beyond us would take the one way and we the other (response smuggling; RFC 9112, 6.3).

use http::{HeaderMap, HeaderValue, StatusCode, header};

/// Insists, as Envoy does, on one length or `chunked` alone, and on neither where there is no content.
///
/// # Errors
/// Words that say what is wrong.
pub(in crate::http::attempt) fn framed_once(
    status: StatusCode,
    headers: &HeaderMap,
) -> Result<(), &'static str> {
    let mut lengths = headers.get_all(header::CONTENT_LENGTH).iter();
    let length = lengths.next().map(HeaderValue::as_bytes);
    if lengths.next().is_some() || length.is_some_and(|length| length.contains(&b',')) {
        return Err("the response states its length twice");
    }
    let no_content = status == StatusCode::NO_CONTENT;
    let mut codings = headers.get_all(header::TRANSFER_ENCODING).iter();
    match (codings.next(), codings.next()) {
        (None, _) if no_content && length.is_some_and(|length| length != b"0") => {
            Err("the response has a length, but its status allows no content")
        }
        (None, _) => Ok(()),
        (Some(_), _) if length.is_some() => {
            Err("the response has both Content-Length and Transfer-Encoding")
        }
        (Some(coding), None)
            if !no_content && coding.as_bytes().eq_ignore_ascii_case(b"chunked") =>
        {
            Ok(())
        }
        (Some(_), _) if no_content => {
            Err("the response has a transfer coding, but its status allows no content")
        }
        (Some(_), _) => Err("the response has a transfer coding besides chunked"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LENGTH: &str = "content-length";
    const CODING: &str = "transfer-encoding";

    fn is_framed(status: u16, fields: &[(&'static str, &'static str)]) -> bool {
        let mut headers = HeaderMap::new();
        for (name, value) in fields {
            headers.append(*name, HeaderValue::from_static(value));
        }
        let status = StatusCode::from_u16(status).expect("a status");
        framed_once(status, &headers).is_ok()
    }

    #[test]
    fn one_way_to_tell_the_end_is_enough() {
        for (status, fields) in [
            (200, &[][..]),
            (200, &[(LENGTH, "5")]),
            (200, &[(CODING, "Chunked")]),
            (304, &[(LENGTH, "5")]),
            (204, &[]),
            (204, &[(LENGTH, "0")]),
        ] {
            assert!(is_framed(status, fields), "{status} {fields:?}");
        }
    }

    #[test]
    fn two_ways_are_one_too_many() {
        for (status, fields) in [
            (200, &[(LENGTH, "5"), (LENGTH, "5")][..]),
            (200, &[(LENGTH, "5, 5")]),
            (200, &[(LENGTH, "5"), (CODING, "chunked")]),
            (200, &[(CODING, "chunked"), (CODING, "chunked")]),
            (200, &[(CODING, "gzip, chunked")]),
            (200, &[(CODING, "identity")]),
            (200, &[(CODING, "")]),
            (204, &[(LENGTH, "4")]),
            (204, &[(CODING, "chunked")]),
        ] {
            assert!(!is_framed(status, fields), "{status} {fields:?}");
        }
    }
}
