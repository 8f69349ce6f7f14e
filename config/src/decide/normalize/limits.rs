//! How many headers a request may have, how large its head may be, and how its body may be framed.

use http::{HeaderMap, HeaderName, HeaderValue, header};

use crate::decide::bad_request::{BadRequest, BadRequestKind};

/// Header lines of a request; with more it is answered 431. It is hyper's own limit for HTTP/1, which is not set: room for
/// a number that is set is made anew for each message.
pub const HEADERS_MAX: usize = 100;

/// Bytes of a request's header block; with more it is answered 431.
pub const HEAD_MAX: usize = 64 * 1024;

/// Checks that a request has no more than [`HEADERS_MAX`] header lines, as HTTP/1 would have them: the pieces of a
/// cookie, which HTTP/2 may send one by one, are one.
///
/// # Errors
/// [`BadRequestKind::TooLarge`].
pub fn few(headers: &HeaderMap) -> Result<(), BadRequest> {
    if headers.len() <= HEADERS_MAX {
        return Ok(());
    }
    let pieces = headers.get_all(header::COOKIE).iter().count();
    if headers.len() - pieces.saturating_sub(1) <= HEADERS_MAX {
        return Ok(());
    }
    let message = format!("the request has more than {HEADERS_MAX} headers");
    Err(BadRequest::new(BadRequestKind::TooLarge, message))
}

/// Checks that a request's transfer coding, if it has one, is `chunked` alone.
///
/// # Errors
/// [`BadRequestKind::Coding`].
pub fn known_coding(headers: &HeaderMap) -> Result<(), BadRequest> {
    let mut codings = headers.get_all(header::TRANSFER_ENCODING).iter();
    match (codings.next(), codings.next()) {
        (None, _) => Ok(()),
        (Some(coding), None) if coding.as_bytes().eq_ignore_ascii_case(b"chunked") => Ok(()),
        (Some(_), _) => Err(BadRequest::new(
            BadRequestKind::Coding,
            "the request has a transfer coding besides chunked",
        )),
    }
}

/// Checks what parsers of HTTP/1 check while they read: the size of the head, and one length of the body. For
/// heads that were not read from a connection.
///
/// # Errors
/// [`BadRequestKind::TooLarge`], [`BadRequestKind::Framing`] and [`BadRequestKind::Syntax`].
pub fn readable(target: &str, headers: &HeaderMap) -> Result<(), BadRequest> {
    let line = |(name, value): (&HeaderName, &HeaderValue)| name.as_str().len() + value.len() + 4;
    if target.len() + headers.iter().map(line).sum::<usize>() > HEAD_MAX {
        return Err(head_too_large());
    }
    few(headers)?;
    let lengths = headers.get_all(header::CONTENT_LENGTH).iter().count();
    if lengths > 0 && headers.contains_key(header::TRANSFER_ENCODING) {
        return Err(length_and_coding());
    }
    if lengths > 1 {
        return Err(two_lengths());
    }
    Ok(())
}

/// A head with more than [`HEAD_MAX`] bytes.
pub fn head_too_large() -> BadRequest {
    let message = format!("the request's head has more than {HEAD_MAX} bytes");
    BadRequest::new(BadRequestKind::TooLarge, message)
}

/// A head with a length and a transfer coding.
pub fn length_and_coding() -> BadRequest {
    let message = "the request has both Content-Length and Transfer-Encoding";
    BadRequest::new(BadRequestKind::Framing, message)
}

/// A head with two lengths.
pub fn two_lengths() -> BadRequest {
    let message = "the request states its length twice";
    BadRequest::new(BadRequestKind::Syntax, message)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::decide::normalize::tests::map;

    #[test]
    fn chunked_is_the_one_coding() {
        for (codings, fits) in [
            (&[][..], true),
            (&[("transfer-encoding", "Chunked")], true),
            (&[("transfer-encoding", "gzip, chunked")], false),
            (
                &[
                    ("transfer-encoding", "chunked"),
                    ("transfer-encoding", "chunked"),
                ],
                false,
            ),
        ] {
            let kind = known_coding(&map(codings)).err().map(|bad| bad.kind);
            assert_eq!(
                kind,
                (!fits).then_some(BadRequestKind::Coding),
                "{codings:?}"
            );
        }
    }

    #[test]
    fn pieces_of_a_cookie_count_as_one_header() {
        assert_eq!(few(&map(&[("cookie", "a=1"); 2 * HEADERS_MAX])), Ok(()));
        assert_eq!(few(&map(&[("x-a", "1"); HEADERS_MAX])), Ok(()));
        let many = few(&map(&[("x-a", "1"); HEADERS_MAX + 1]));
        assert_eq!(many.expect_err("too many").kind, BadRequestKind::TooLarge);
    }

    #[test]
    fn a_body_has_one_length() {
        let (length, coding) = (("content-length", "1"), ("transfer-encoding", "chunked"));
        for (headers, kind) in [
            (&[length][..], None),
            (&[coding], None),
            (&[length, coding], Some(BadRequestKind::Framing)),
            (&[length, length], Some(BadRequestKind::Syntax)),
        ] {
            let bad = readable("/", &map(headers)).err();
            assert_eq!(bad.map(|bad| bad.kind), kind, "{headers:?}");
        }
        let long = "x".repeat(HEAD_MAX + 1);
        let bad = readable(&long, &HeaderMap::new()).expect_err("too large");
        assert_eq!(bad.kind, BadRequestKind::TooLarge);
    }
}
