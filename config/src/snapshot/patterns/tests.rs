use super::*;

fn map(patterns: &[&'static str]) -> PatternMap<&'static str> {
    let mut map = PatternMap::default();
    for pattern in patterns {
        assert!(
            map.claim(&HostPattern::parse(pattern), *pattern),
            "{pattern}"
        );
    }
    map
}

#[test]
fn the_most_specific_pattern_is_found() {
    let map = map(&[
        "*",
        "*.a.test",
        "*.b.a.test",
        "x.a.test",
        "*b.a.test",
        "*est",
    ]);
    for (name, expected) in [
        ("x.a.test", "x.a.test"),
        ("y.a.test", "*.a.test"),
        ("y.b.a.test", "*.b.a.test"),
        ("z.y.b.a.test", "*.b.a.test"),
        ("b.a.test", "*.a.test"),
        ("bb.a.test", "*b.a.test"),
        ("a.test", "*est"),
        ("est", "*"),
        ("other", "*"),
    ] {
        assert_eq!(map.find(name), Some(&expected), "{name}");
    }
    assert_eq!(map.find_named("other"), None);
}

#[test]
fn the_first_claim_holds() {
    let mut map = map(&["*.a", "b", "*", "*c"]);
    for pattern in ["*.a", "b", "*", "*c"] {
        assert!(
            !map.claim(&HostPattern::parse(pattern), "late"),
            "{pattern}"
        );
    }
    assert_eq!(map.find("x.a"), Some(&"*.a"));
    assert!(map.has_names());
}

#[test]
fn covering_patterns_come_most_specific_first() {
    let map = map(&["*", "*.test", "*.a.test", "a.test", "x.a.test", "*st"]);
    let covering = |text: &str| -> Vec<&str> {
        let covering = map.covering(&HostPattern::parse(text));
        covering.into_iter().copied().collect()
    };
    assert_eq!(
        covering("x.a.test"),
        ["x.a.test", "*.a.test", "*.test", "*st", "*"]
    );
    assert_eq!(covering("a.test"), ["a.test", "*.test", "*st", "*"]);
    assert_eq!(covering("*.a.test"), ["*.a.test", "*.test", "*st", "*"]);
    assert_eq!(covering("*.b.a.test"), ["*.a.test", "*.test", "*st", "*"]);
    assert_eq!(covering("*"), ["*"]);
    assert_eq!(covering("other"), ["*"]);
}
