use super::*;
use crate::decide::normalize::tests::map;

fn text(headers: &HeaderMap, name: HeaderName) -> Option<&str> {
    headers.get(name).map(|value| value.to_str().expect("text"))
}

fn edge(topology: &Topology) -> Edge<'_> {
    Edge {
        scheme: "http",
        client: [10, 34, 0, 140].into(),
        port: Some(8443),
        topology,
    }
}

#[test]
fn proxies_in_front_of_a_gateway_are_trusted_as_far_as_there_are() {
    let received = [
        ("x-forwarded-for", "6.6.6.6, 1.1.1.1"),
        ("x-forwarded-for", "2.2.2.2"),
        ("x-forwarded-proto", "https"),
        ("x-forwarded-port", "443"),
    ];
    for (trusted_proxies, external, proto, port) in [
        (0, "10.34.0.140", "http", "8443"),
        (1, "2.2.2.2", "https", "443"),
        (2, "1.1.1.1", "https", "443"),
        // More than there are addresses: none of them is trusted.
        (4, "10.34.0.140", "https", "443"),
    ] {
        let topology = Topology {
            trusted_proxies,
            ..Topology::default()
        };
        let mut headers = map(&received);
        from_gateway(&mut headers, edge(&topology));
        for (name, expected) in [
            (EXTERNAL_ADDRESS, external),
            (FORWARDED_PROTO, proto),
            (FORWARDED_PORT, port),
            (FORWARDED_FOR, "6.6.6.6, 1.1.1.1,2.2.2.2,10.34.0.140"),
        ] {
            assert_eq!(text(&headers, name), Some(expected), "{trusted_proxies}");
        }
        let mut silent = HeaderMap::new();
        from_gateway(&mut silent, edge(&topology));
        assert_eq!(text(&silent, FORWARDED_PROTO), Some("http"));
        assert_eq!(text(&silent, FORWARDED_PORT), Some("8443"));
    }
}

#[test]
fn a_clients_certificate_is_forwarded_as_the_mesh_sets_it() {
    let certificate = HeaderValue::from_static("Hash=1");
    for (mode, with, without) in [
        (ClientCert::Remove, None, None),
        (ClientCert::Replace, Some("Hash=1"), None),
        (ClientCert::Append, Some("Hash=8,Hash=9,Hash=1"), None),
        (ClientCert::Keep, Some("Hash=8"), None),
        (ClientCert::KeepAlways, Some("Hash=8"), Some("Hash=8")),
    ] {
        for (certificate, expected) in [(Some(&certificate), with), (None, without)] {
            let received = [
                ("x-forwarded-client-cert", "Hash=8"),
                ("x-forwarded-client-cert", "Hash=9"),
            ];
            let mut headers = map(&received);
            forward_client_cert(&mut headers, mode, certificate);
            assert_eq!(
                text(&headers, CLIENT_CERT),
                expected,
                "{mode:?} {certificate:?}"
            );
        }
    }
}

#[test]
fn the_client_is_forwarded_as_istio_does() {
    let mut headers = HeaderMap::new();
    from_gateway(&mut headers, edge(&Topology::default()));
    assert_eq!(text(&headers, FORWARDED_FOR), Some("10.34.0.140"));
    let mut headers = map(&[
        ("x-forwarded-for", "1.1.1.1"),
        ("x-forwarded-for", "2.2.2.2"),
        ("x-forwarded-proto", "https"),
    ]);
    from_gateway(&mut headers, edge(&Topology::default()));
    assert_eq!(
        text(&headers, FORWARDED_FOR),
        Some("1.1.1.1,2.2.2.2,10.34.0.140")
    );
    assert_eq!(text(&headers, FORWARDED_PROTO), Some("http"));
    let mut headers = map(&[("x-forwarded-proto", "https")]);
    from_sidecar(&mut headers, "http");
    assert_eq!(text(&headers, FORWARDED_PROTO), Some("https"));
    assert_eq!(text(&headers, FORWARDED_FOR), None);
}

#[test]
fn envoys_headers_from_a_client_are_removed() {
    let received = [
        ("x-envoy-internal", "true"),
        ("x-envoy-max-retries", "9"),
        ("x-envoy-original-path", "/admin"),
        ("x-envoy-external-address", "1.2.3.4"),
    ];
    let left = |headers: &HeaderMap| {
        received.map(|(name, _)| headers.get(name).map(|value| value.as_bytes().to_vec()))
    };
    let mut headers = map(&received);
    from_gateway(&mut headers, edge(&Topology::default()));
    assert_eq!(
        left(&headers),
        [None, None, None, Some(b"10.34.0.140".to_vec())]
    );
    // A sidecar's client is the application itself.
    let mut headers = map(&received);
    from_sidecar(&mut headers, "http");
    assert_eq!(
        left(&headers),
        [
            None,
            None,
            Some(b"/admin".to_vec()),
            Some(b"1.2.3.4".to_vec())
        ]
    );
}
