//! Upgrades that a request offers.

use http::{HeaderMap, HeaderValue, header};

use crate::decide::bad_request::{BadRequest, BadRequestKind};
use crate::headers::value_of;

/// The protocol that a request offers to upgrade to, as the client spells it; `None` where it offers nothing
/// that counts. To be called before the hop-by-hop headers are removed.
///
/// # Errors
/// [`BadRequestKind::Upgrade`]: only WebSocket is passed on. `h2c` is ignored, as RFC 9113 (3.1) demands.
pub(super) fn requested(headers: &HeaderMap) -> Result<Option<HeaderValue>, BadRequest> {
    let Some(upgrade) = value_of(headers, &header::UPGRADE) else {
        return Ok(None);
    };
    let connection_upgrades = headers
        .get_all(header::CONNECTION)
        .iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(','))
        .any(|word| word.trim().eq_ignore_ascii_case("upgrade"));
    let token = upgrade.as_bytes();
    if !connection_upgrades || token.eq_ignore_ascii_case(b"h2c") {
        return Ok(None);
    }
    if token.eq_ignore_ascii_case(b"websocket") {
        return Ok(Some(upgrade.clone()));
    }
    let message = format!(
        "upgrade to `{}` is not offered",
        String::from_utf8_lossy(token)
    );
    Err(BadRequest::new(BadRequestKind::Upgrade, message))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_websockets_are_upgraded() {
        for (connection, upgrade, expected) in [
            ("keep-alive, Upgrade", "WebSocket", Ok(Some("WebSocket"))),
            ("keep-alive", "websocket", Ok(None)),
            ("Upgrade, HTTP2-Settings", "h2c", Ok(None)),
            ("upgrade", "irc/6.9", Err(BadRequestKind::Upgrade)),
        ] {
            let mut headers = HeaderMap::new();
            headers.insert(header::CONNECTION, HeaderValue::from_static(connection));
            headers.insert(header::UPGRADE, HeaderValue::from_static(upgrade));
            let token = requested(&headers).map_err(|bad| bad.kind);
            let expected = expected.map(|token| token.map(HeaderValue::from_static));
            assert_eq!(token, expected, "{upgrade}");
        }
        assert_eq!(requested(&HeaderMap::new()), Ok(None));
    }
}
