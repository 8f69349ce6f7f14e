//! Upgrades: when the upstream agrees (101), HTTP is over on both connections and bytes are relayed.

use http::HeaderMap;
use http::HeaderValue;
use http::header;
use hyper::upgrade::OnUpgrade;
use hyper_util::rt::TokioIo;
use tracing::debug;

use crate::failure::Cause;
use crate::failure::Failure;
use crate::relay::Counts;
use crate::relay::relay;
use crate::report::record::Record;

/// What a request asks its connection to become.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Wish {
    /// Nothing, or something that may be ignored.
    None,
    /// A WebSocket.
    WebSocket,
}

/// Reads the wish. To be asked before the headers of the hop are taken out.
///
/// # Errors
/// [`Cause::UpgradeRefused`]: only WebSocket is passed on. `h2c` is ignored, as RFC 9113 demands.
pub fn wish(headers: &HeaderMap) -> Result<Wish, Failure> {
    let Some(upgrade) = headers.get(header::UPGRADE) else {
        return Ok(Wish::None);
    };
    let asked = headers
        .get_all(header::CONNECTION)
        .iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(','))
        .any(|word| word.trim().eq_ignore_ascii_case("upgrade"));
    let upgrade = upgrade.as_bytes();
    if !asked || upgrade.eq_ignore_ascii_case(b"h2c") {
        return Ok(Wish::None);
    }
    if upgrade.eq_ignore_ascii_case(b"websocket") {
        return Ok(Wish::WebSocket);
    }
    let words = format!(
        "upgrade to `{}` is not offered",
        String::from_utf8_lossy(upgrade)
    );
    Err(Failure::new(Cause::UpgradeRefused, words))
}

/// Puts the wish, or the consent to it, back in for the next hop.
pub fn renew(headers: &mut HeaderMap) {
    headers.insert(header::CONNECTION, HeaderValue::from_static("Upgrade"));
    headers.insert(header::UPGRADE, HeaderValue::from_static("websocket"));
}

/// Relays between the two connections until both are done, then ends the record.
pub async fn pass(client: OnUpgrade, upstream: OnUpgrade, mut record: Box<Record>) {
    match futures_util::future::try_join(client, upstream).await {
        Ok((client, upstream)) => {
            let counts = Counts::default();
            let end = relay(
                &mut TokioIo::new(client),
                &mut TokioIo::new(upstream),
                None,
                &counts,
            )
            .await;
            debug!(?end, "upgraded connection ended");
            record.bytes_received = counts.from_client.get();
            record.bytes_sent = counts.from_upstream.get();
        }
        Err(error) => debug!(%error, "upgrade did not happen"),
    }
    record.end();
}

#[cfg(test)]
mod tests {
    use super::*;

    fn asked(connection: &str, upgrade: &str) -> Option<Wish> {
        let mut headers = HeaderMap::new();
        headers.insert(header::CONNECTION, connection.parse().expect("value"));
        headers.insert(header::UPGRADE, upgrade.parse().expect("value"));
        wish(&headers).ok()
    }

    #[test]
    fn only_websockets_are_upgraded() {
        assert_eq!(
            asked("keep-alive, Upgrade", "WebSocket"),
            Some(Wish::WebSocket)
        );
        assert_eq!(asked("keep-alive", "websocket"), Some(Wish::None));
        assert_eq!(asked("Upgrade, HTTP2-Settings", "h2c"), Some(Wish::None));
        assert_eq!(asked("upgrade", "irc/6.9"), None);
        assert_eq!(wish(&HeaderMap::new()).ok(), Some(Wish::None));
    }
}
