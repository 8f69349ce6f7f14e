use super::*;

fn map(pairs: &[(&'static str, &'static str)]) -> HeaderMap {
    let mut headers = HeaderMap::new();
    for (name, value) in pairs {
        headers.append(*name, HeaderValue::from_static(value));
    }
    headers
}

fn text(headers: &HeaderMap, name: HeaderName) -> Option<&str> {
    headers.get(name).map(|value| value.to_str().expect("text"))
}

#[test]
fn what_belongs_to_the_hop_is_taken_out() {
    let mut headers = map(&[
        ("connection", "keep-alive, x-secret, Host"),
        ("keep-alive", "timeout=5"),
        ("transfer-encoding", "chunked"),
        ("upgrade", "websocket"),
        ("x-secret", "1"),
        ("host", "a.test"),
        ("te", "gzip, Trailers"),
        ("trailer", "x-sum"),
        ("accept", "*/*"),
    ]);
    strip_request(&mut headers);
    let mut left: Vec<_> = headers.keys().map(HeaderName::as_str).collect();
    left.sort_unstable();
    assert_eq!(left, ["accept", "host", "te", "trailer"]);
    assert_eq!(text(&headers, header::TE), Some("trailers"));
}

#[test]
fn te_without_trailers_goes() {
    let mut headers = map(&[("te", "gzip")]);
    strip_request(&mut headers);
    assert!(headers.is_empty());
}

#[test]
fn a_response_keeps_what_its_connection_header_names() {
    let mut headers = map(&[
        ("connection", "x-a"),
        ("x-a", "1"),
        ("transfer-encoding", "chunked"),
        ("x-envoy-peer-metadata", "of a proxy"),
        ("x-envoy-peer-metadata-id", "sidecar"),
    ]);
    strip_response(&mut headers);
    assert_eq!(
        headers.keys().map(HeaderName::as_str).collect::<Vec<_>>(),
        ["x-a"]
    );
}

#[test]
fn a_request_id_is_kept_or_made() {
    let mut headers = map(&[("x-request-id", "mine")]);
    ensure_request_id(&mut headers);
    assert_eq!(text(&headers, REQUEST_ID), Some("mine"));
    headers.clear();
    ensure_request_id(&mut headers);
    let made = Uuid::parse_str(text(&headers, REQUEST_ID).expect("made")).expect("a uuid");
    assert_eq!(made.get_version_num(), 4);
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
    let said = [
        ("x-forwarded-for", "6.6.6.6, 1.1.1.1"),
        ("x-forwarded-for", "2.2.2.2"),
        ("x-forwarded-proto", "https"),
        ("x-forwarded-port", "443"),
    ];
    for (trusted_proxies, external, proto, port) in [
        (0, "10.34.0.140", "http", "8443"),
        (1, "2.2.2.2", "https", "443"),
        (2, "1.1.1.1", "https", "443"),
        // More than there are addresses: nobody vouches for what is there.
        (4, "10.34.0.140", "https", "443"),
    ] {
        let topology = Topology {
            trusted_proxies,
            ..Topology::default()
        };
        let mut headers = map(&said);
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
fn a_callers_certificate_is_told_as_the_mesh_has_it() {
    let shown = HeaderValue::from_static("Hash=1");
    for (mode, with, without) in [
        (ClientCert::Remove, None, None),
        (ClientCert::Replace, Some("Hash=1"), None),
        (ClientCert::Append, Some("Hash=8,Hash=9,Hash=1"), None),
        (ClientCert::Keep, Some("Hash=8"), None),
        (ClientCert::KeepAlways, Some("Hash=8"), Some("Hash=8")),
    ] {
        for (shown, expected) in [(Some(&shown), with), (None, without)] {
            let said = [
                ("x-forwarded-client-cert", "Hash=8"),
                ("x-forwarded-client-cert", "Hash=9"),
            ];
            let mut headers = map(&said);
            forward_client_cert(&mut headers, mode, shown);
            assert_eq!(text(&headers, CLIENT_CERT), expected, "{mode:?} {shown:?}");
        }
    }
}

#[test]
fn the_caller_is_told_as_istio_does() {
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
fn what_a_caller_says_in_envoys_name_is_not_believed() {
    let said = [
        ("x-envoy-internal", "true"),
        ("x-envoy-max-retries", "9"),
        ("x-envoy-original-path", "/admin"),
        ("x-envoy-external-address", "1.2.3.4"),
    ];
    let left = |headers: &HeaderMap| {
        said.map(|(name, _)| headers.get(name).map(|value| value.as_bytes().to_vec()))
    };
    let mut headers = map(&said);
    from_gateway(&mut headers, edge(&Topology::default()));
    assert_eq!(
        left(&headers),
        [None, None, None, Some(b"10.34.0.140".to_vec())]
    );
    // A sidecar's caller is the application itself.
    let mut headers = map(&said);
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

#[test]
fn changes_of_a_route_come_in_order() {
    let pairs = |pairs: &[(&str, &str)]| {
        pairs
            .iter()
            .map(|(name, value)| ((*name).into(), (*value).into()))
            .collect()
    };
    let operations = HeaderOperations {
        remove: vec!["x-a".into(), "x-b".into(), "host".into()],
        set: pairs(&[("x-b", "new"), (":authority", "b.test"), ("bad name", "1")]),
        add: pairs(&[("x-c", "two")]),
    };
    let mut headers = map(&[
        ("x-a", "1"),
        ("x-b", "old"),
        ("x-c", "one"),
        ("host", "a.test"),
    ]);
    assert_eq!(change(&mut headers, &operations), Some("b.test"));
    assert_eq!(text(&headers, HeaderName::from_static("x-a")), None);
    assert_eq!(text(&headers, HeaderName::from_static("x-b")), Some("new"));
    assert_eq!(headers.get_all("x-c").iter().count(), 2);
    assert_eq!(text(&headers, header::HOST), Some("a.test"));
}

#[test]
fn changes_are_as_envoy_reads_them() {
    let operations = HeaderOperations {
        set: [("x-a", "100%%"), ("x-b", "")]
            .map(|(name, value)| (name.into(), value.into()))
            .into(),
        add: [("x-c".into(), "".into())].into(),
        ..HeaderOperations::default()
    };
    let mut headers = map(&[("x-b", "kept")]);
    change(&mut headers, &operations);
    assert_eq!(headers, map(&[("x-b", "kept"), ("x-a", "100%")]));
}

#[test]
fn cookies_become_one() {
    let mut headers = map(&[("cookie", "a=1"), ("cookie", "b=2")]);
    join_cookies(&mut headers);
    assert_eq!(text(&headers, header::COOKIE), Some("a=1; b=2"));
    assert_eq!(headers.get_all("cookie").iter().count(), 1);
}

#[test]
fn numbers_are_written_in_full() {
    for count in (0..=101).chain([999, u64::MAX]) {
        assert_eq!(number(count), count.to_string().as_str());
    }
}
