use super::*;

fn exact(text: &str) -> StringMatch {
    StringMatch::Exact(text.into())
}

fn prefix(text: &str) -> StringMatch {
    StringMatch::Prefix(text.into())
}

/// One of every kind, with a text.
fn each(text: &StringMatch) -> [Condition; 7] {
    let name = || Arc::from("x-name");
    [
        Condition::Path(text.clone()),
        Condition::Scheme(text.clone()),
        Condition::Method(text.clone()),
        Condition::Authority(text.clone()),
        Condition::Header(name(), text.clone()),
        Condition::WithoutHeader(name(), text.clone()),
        Condition::Query(name(), text.clone()),
    ]
}

/// A request whose every part is `text`.
fn holds(condition: &Condition, text: &str) -> bool {
    let mut headers = HeaderMap::new();
    headers.append("x-name", text.parse().unwrap());
    let query = format!("other=1&x-name={text}&x-name=last");
    condition.holds(&RequestHead {
        method: text,
        scheme: text,
        authority: text,
        target: text,
        path: text,
        query: &query,
        headers: &headers,
    })
}

#[test]
fn each_looks_at_its_own_part() {
    for condition in each(&exact("one")) {
        let absent = matches!(condition, Condition::WithoutHeader(..));
        assert_eq!(holds(&condition, "one"), !absent, "{condition}");
        assert_eq!(holds(&condition, "two"), absent, "{condition}");
    }
}

#[test]
fn a_header_that_is_not_there_is_an_empty_one_for_without_headers() {
    let headers = HeaderMap::new();
    let request = RequestHead {
        method: "GET",
        scheme: "http",
        authority: "a.test",
        target: "/",
        path: "/",
        query: "",
        headers: &headers,
    };
    for (text, holds) in [
        (StringMatch::Present, true),
        (exact("one"), true),
        (StringMatch::regex(".*").unwrap(), false),
    ] {
        let condition = Condition::WithoutHeader("x-name".into(), text);
        assert_eq!(condition.holds(&request), holds, "{condition}");
    }
}

#[test]
fn each_covers_only_its_own_kind_and_name() {
    for (at, wider) in each(&prefix("on")).iter().enumerate() {
        for (other, narrower) in each(&exact("one")).iter().enumerate() {
            // What is not there in one way may be there in another.
            let covers = at == other && !matches!(wider, Condition::WithoutHeader(..));
            assert_eq!(wider.covers(narrower), covers, "{wider}, {narrower}");
        }
        assert!(wider.covers(wider), "{wider}");
    }
    let named = |name: &str| Condition::Header(name.into(), exact("one"));
    assert!(!named("x-a").covers(&named("x-b")));
}

#[test]
fn a_delegate_narrows_its_root() {
    for (at, root) in each(&prefix("on")).iter().enumerate() {
        for (text, merged) in [
            (exact("one"), Merged::Leaf),
            (exact("two"), Merged::Conflict),
            (StringMatch::Present, Merged::Conflict),
        ] {
            for (other, leaf) in each(&text).iter().enumerate() {
                let expected = if at == other { merged } else { Merged::Both };
                assert_eq!(root.merge(leaf), expected, "{root}, {leaf}");
            }
        }
    }
}

#[test]
fn only_a_path_may_be_met_by_every_request() {
    for text in [prefix(""), prefix("/"), StringMatch::regex(".*").unwrap()] {
        for condition in each(&text) {
            let path = matches!(condition, Condition::Path(_));
            assert_eq!(condition.is_always_met(), path, "{condition}");
        }
    }
    assert!(!Condition::Path(prefix("/a")).is_always_met());
}

#[test]
fn each_has_a_field_a_rank_and_a_text() {
    let all = each(&exact("one"));
    let fields: Vec<String> = all.iter().map(Condition::field).collect();
    assert_eq!(
        fields,
        [
            "uri",
            "scheme",
            "method",
            "authority",
            "headers.x-name",
            "withoutHeaders.x-name",
            "queryParams.x-name"
        ]
    );
    let texts: Vec<String> = all.iter().map(ToString::to_string).collect();
    assert_eq!(
        texts,
        [
            "one",
            "scheme=one",
            "method=one",
            "authority=one",
            "header x-name=one",
            "without header x-name=one",
            "query x-name=one"
        ]
    );
    let ranks: Vec<u8> = all.iter().map(Condition::rank).collect();
    assert!(ranks.is_sorted_by(|one, next| one < next), "{ranks:?}");
}
