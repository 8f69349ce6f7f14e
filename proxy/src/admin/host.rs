//! Who may read the admin pages: requests whose `Host` is loopback. A web page that a browser on this machine shows can
//! make its own name resolve to 127.0.0.1 (DNS rebinding), but cannot change the `Host` that the browser sends.

use http::header::{HOST, ORIGIN};
use http::uri::Authority;
use http::{HeaderMap, HeaderValue, Uri};

/// Whether a request gets its page: one of a loopback host; and one of `/ready` also where its host has a single label,
/// as probes write what they do not care about. No page of the web has such a name, since DNS rebinding needs a domain.
pub(super) fn may_read(uri: &Uri, headers: &HeaderMap) -> bool {
    is_loopback(uri, headers) || uri.path() == "/ready" && has_single_label(headers)
}

fn has_single_label(headers: &HeaderMap) -> bool {
    let mut hosts = headers.get_all(HOST).iter();
    let single = |host: &HeaderValue| {
        authority(host).is_some_and(|host| !host.as_str().contains(['.', '[', '@']))
    };
    hosts.next().is_some_and(single) && hosts.next().is_none() && !headers.contains_key(ORIGIN)
}

/// Whether every host that a request names is `127.0.0.1`, `localhost` or `[::1]`, with any port, and it names one; and
/// whether it comes from no web page of another host.
fn is_loopback(uri: &Uri, headers: &HeaderMap) -> bool {
    let mut named = headers
        .get_all(HOST)
        .iter()
        .map(|host| authority(host).is_some_and(|host| loopback(&host)))
        .chain(uri.authority().map(loopback))
        .peekable();
    let mut origins = headers.get_all(ORIGIN).iter();
    named.peek().is_some() && named.all(|is| is) && origins.all(is_own_page)
}

fn authority(host: &HeaderValue) -> Option<Authority> {
    host.to_str().ok()?.parse().ok()
}

fn loopback(authority: &Authority) -> bool {
    let has_user = authority.as_str().contains('@');
    let host = authority.host();
    !has_user && (host.eq_ignore_ascii_case("localhost") || matches!(host, "127.0.0.1" | "[::1]"))
}

/// Whether an `Origin` (RFC 6454, 7) is loopback. Browsers send `null` for pages without a host.
fn is_own_page(origin: &HeaderValue) -> bool {
    let uri = origin
        .to_str()
        .ok()
        .and_then(|text| text.parse::<Uri>().ok());
    uri.is_some_and(|uri| uri.authority().is_some_and(loopback))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn asked(uri: &str, headers: &[(&'static str, &str)]) -> bool {
        let mut map = HeaderMap::new();
        for (name, value) in headers {
            map.append(*name, value.parse().expect("value"));
        }
        is_loopback(&uri.parse().expect("uri"), &map)
    }

    #[test]
    fn probes_may_name_any_single_label() {
        for (host, path, expected) in [
            ("x", "/ready", true),
            ("x", "/config_dump", false),
            ("attacker.example", "/ready", false),
            ("me@x", "/ready", false),
        ] {
            let mut headers = HeaderMap::new();
            headers.insert(HOST, HeaderValue::from_static(host));
            let read = may_read(&path.parse().expect("uri"), &headers);
            assert_eq!(read, expected, "{host} {path}");
        }
    }

    #[test]
    fn loopback_hosts_are_let_in() {
        for host in [
            "127.0.0.1",
            "127.0.0.1:15000",
            "localhost",
            "LocalHost:8080",
            "[::1]",
            "[::1]:15000",
        ] {
            assert!(asked("/ready", &[("host", host)]), "{host}");
            let origin = format!("http://{host}");
            let headers = [("host", "localhost"), ("origin", &*origin)];
            assert!(asked("/ready", &headers), "{origin}");
        }
        assert!(asked("http://127.0.0.1:15000/ready", &[]));
    }

    #[test]
    fn foreign_hosts_are_not() {
        for host in [
            "attacker.example",
            "attacker.example:15000",
            "127.0.0.1.attacker.example",
            "localhost.attacker.example",
            "attacker.example@127.0.0.1",
            "127.0.0.1@attacker.example",
            "10.0.0.1:15000",
            "0.0.0.0",
            "[::]",
            "::1",
            "127.1",
            "2130706433",
            "",
            "localhost localhost",
        ] {
            assert!(!asked("/ready", &[("host", host)]), "{host}");
        }
        assert!(!asked("/ready", &[]), "no host at all");
        let two = [("host", "localhost"), ("host", "attacker.example")];
        assert!(!asked("/ready", &two));
        let foreign = "http://attacker.example/ready";
        assert!(!asked(foreign, &[("host", "localhost")]));
        for origin in ["http://attacker.example", "null", "file://", "x y"] {
            let headers = [("host", "localhost"), ("origin", origin)];
            assert!(!asked("/ready", &headers), "{origin}");
        }
    }
}
