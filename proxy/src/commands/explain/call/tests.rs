use super::*;

fn read(json: &str) -> Result<(Call, Vec<String>), String> {
    Call::of_json(&serde_json::from_str(json).unwrap()).map_err(|wrong| wrong.to_string())
}

#[test]
fn destinations_are_addresses_or_names() {
    for (text, expected) in [
        ("1.2.3.4:80", To::Address("1.2.3.4:80".parse().unwrap())),
        ("[::1]:443", To::Address("[::1]:443".parse().unwrap())),
        ("A.com:80", To::Name("a.com".into(), 80)),
    ] {
        assert_eq!(To::parse(text), Ok(expected), "{text}");
    }
    for bad in [
        "",
        "1.2.3.4",
        ":80",
        "a.com:",
        "a.com:http",
        "::1:80",
        "a b:1",
        "http://a:80",
    ] {
        assert!(To::parse(bad).is_err(), "{bad}");
    }
}

#[test]
fn json_has_the_names_of_the_flags() {
    let (call, unknown) = read(
        r#"{"to": "1.2.3.4:443", "protocol": "https", "host": "a.com", "sni": "b.com", "alpn": "h2, http/1.1",
            "method": "POST", "path": "/x", "headers": {"a": "1", "b": ["2", "3"]}, "dns_capture": true,
            "id": 7, "metod": "GET"}"#,
    )
    .unwrap();
    assert_eq!(call.to, To::Address("1.2.3.4:443".parse().unwrap()));
    assert_eq!(call.protocol, Protocol::Https);
    assert_eq!(
        (call.host.as_deref(), call.sni.as_deref()),
        (Some("a.com"), Some("b.com"))
    );
    assert_eq!(call.alpn, ["h2", "http/1.1"]);
    assert_eq!((&*call.method, &*call.path), ("POST", "/x"));
    let pair = |name: &str, value: &str| (name.to_owned(), value.to_owned());
    assert_eq!(
        call.headers,
        [pair("a", "1"), pair("b", "2"), pair("b", "3")]
    );
    assert_eq!(call.dns_capture, Some(true));
    assert_eq!(unknown, ["metod"]);
}

#[test]
fn headers_may_be_lines_or_pairs_and_null_is_nothing() {
    let (call, _) = read(
        r#"{"to": "1.2.3.4:80", "protocol": "http", "host": null, "headers": ["a: 1", ":authority: x", ["b", "2"],
            {"name": "c", "value": "3"}]}"#,
    )
    .unwrap();
    assert_eq!(call.host, None);
    let names: Vec<_> = call.headers.iter().map(|(name, _)| &**name).collect();
    assert_eq!(names, ["a", ":authority", "b", "c"]);
    let (call, _) =
        read(r#"{"to": "1.2.3.4:80", "protocol": "http", "header": "a: b: c"}"#).unwrap();
    assert_eq!(call.headers, [("a".to_owned(), "b: c".to_owned())]);
}

#[test]
fn malformed_calls_are_refused() {
    for (json, part) in [
        ("[]", "object"),
        ("{}", "`to`"),
        (r#"{"to": "x", "protocol": "http"}"#, "IP:PORT"),
        (r#"{"to": "1.2.3.4:1"}"#, "`protocol`"),
        (r#"{"to": "1.2.3.4:1", "protocol": "quic"}"#, "quic"),
        (
            r#"{"to": "1.2.3.4:1", "protocol": "tcp", "host": 1}"#,
            "`host`",
        ),
        (
            r#"{"to": "1.2.3.4:1", "protocol": "tcp", "alpn": [1]}"#,
            "`alpn`",
        ),
        (
            r#"{"to": "1.2.3.4:1", "protocol": "tcp", "headers": "a"}"#,
            "`headers`",
        ),
        (
            r#"{"to": "1.2.3.4:1", "protocol": "tcp", "headers": ["a"]}"#,
            "name: value",
        ),
        (
            r#"{"to": "1.2.3.4:1", "protocol": "tcp", "dns_capture": 1}"#,
            "`dns_capture`",
        ),
    ] {
        let message = read(json).expect_err(json);
        assert!(message.contains(part), "{json}: {message}");
    }
}
