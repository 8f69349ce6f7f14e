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

#[test]
fn a_new_request_id_is_a_random_uuid() {
    let (first, second) = (new_request_id(), new_request_id());
    assert_ne!(first, second);
    let text = first.as_ref().and_then(|id| id.to_str().ok());
    let made = Uuid::parse_str(text.expect("made")).expect("a uuid");
    assert_eq!(made.get_version_num(), 4);
}
