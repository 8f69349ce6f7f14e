use super::*;

#[test]
fn what_re2_would_refuse_is_refused() {
    for good in [
        "/a.*",
        "[a-z-]+",
        "[[:alpha:]]x*?",
        r"\d{3,}",
        "a{1000}",
        r"\*+",
        "(a*)*",
        "[&-]",
        "x{",
        "/users/{id}",
        r"\x{41}{2}",
        "a{2,}",
        "{id}+",
        "[]*+]",
        "[^]]*",
        "[a&&b]",
        "[a[b]]",
        r"\Q[a&&b]*+\E.*",
        r"\pL+\p{Greek}",
        r"[\p{L}\d{]+",
    ] {
        assert!(whole(good).is_ok(), "{good}: {:?}", whole(good));
    }
    for (bad, why) in [
        ("", "empty"),
        ("(", "unclosed group"),
        ("*a", "missing expression"),
        ("x*+", "repetition of a repetition"),
        ("x{2}+", "repetition of a repetition"),
        ("x**", "repetition of a repetition"),
        ("a{1001}", "more than 1000"),
        ("[a--b]", "set operation"),
        (r"(?=a)", "not a valid"),
    ] {
        let error = whole(bad).map(|_| ()).unwrap_err();
        assert!(error.contains(why), "{bad}: {error}");
    }
    assert!(whole(&"a".repeat(1_025)).is_err());
}

#[test]
fn quotes_properties_and_braces_mean_what_they_mean_to_re2() {
    for (expression, matching, other) in [
        (r"/\Qa.b*\E/.*", "/a.b*/x", "/aXb/x"),
        (r"\Q{x}", "{x}", "x"),
        (r"/\pL+", "/äb", "/1"),
        (r"/[\p{Lu}_]+", "/ÄB_", "/ä"),
        (r"/\PN", "/a", "/1"),
        (r"/[\p{Greek}\d]+", "/αβ12", "/\u{0661}"),
        (r"/[\p{Greek}\w]+", "/αβ_1", "/ä"),
        (r"/[^\p{Greek}\S]", "/ ", "/a"),
        (r"/[\p{Greek}\w-~]+", "/α-~", "/}"),
        (r"/[\p{Greek}\W-]+", "/α-ä", "/a"),
        (r"(?i)/\p{Lu}+", "/ä", "/1"),
        (r"/\d+", "/12", "/\u{0661}"),
        (r"/{id}/\x{41}{2}", "/{id}/AA", "/{id}/A"),
        ("[]a]+", "]a", "b"),
        ("[a&&b]+", "a&b", "c"),
        ("[a~~b[]]+", "[]]", "a["),
        ("[[:digit:][]+", "1[", "]"),
    ] {
        let compiled = whole(expression).unwrap();
        assert!(compiled.matches(matching), "{expression}");
        assert!(!compiled.matches(other), "{expression}");
    }
}

#[test]
fn no_text_is_too_strange() {
    let letters = ['\\', '[', ']', '{', '}', ':', 'p', 'Q', '^', '&', 'ä', '1'];
    let longer = |texts: &[String]| -> Vec<String> {
        let extend = |text: &String| letters.map(|letter| format!("{text}{letter}"));
        texts.iter().flat_map(extend).collect()
    };
    let mut texts = vec![String::new()];
    for _ in 0..5 {
        texts = longer(&texts);
        for text in &texts {
            let translated = checked(text).unwrap_or_default();
            assert!(translated.len() < 40, "{text}: {translated}");
        }
    }
}
