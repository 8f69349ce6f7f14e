//! Regular expressions as Istio admits them: RE2, at most 1,024 characters.
//!
//! The `regex` crate reads nearly RE2's language. Where it accepts what RE2 refuses or reads differently, the expression
//! is refused, so that one that works here works in Istio too.

use crate::value;
use crate::value::StringMatch;

/// Length of an expression that Istio admits.
const LENGTH_MAX: usize = 1_024;

/// Compiles an expression that must match a whole text.
pub(super) fn whole(text: &str) -> Result<StringMatch, String> {
    check(text)?;
    StringMatch::regex(&with_literal_braces(text)).map_err(|error| brief(&error))
}

/// Compiles an expression that is searched for.
pub(super) fn part(text: &str) -> Result<regex::bytes::Regex, String> {
    check(text)?;
    value::compile(&with_literal_braces(text)).map_err(|error| brief(&error))
}

fn check(text: &str) -> Result<(), String> {
    if text.is_empty() {
        return Err("a regular expression cannot be empty".into());
    }
    if text.len() > LENGTH_MAX {
        return Err(format!(
            "longer than the {LENGTH_MAX} characters that Istio admits"
        ));
    }
    match foreign(text) {
        Some(what) => Err(format!("{what}, which RE2 does not have")),
        None => Ok(()),
    }
}

/// The last line of the compiler's report, which says what is wrong; the rest draws the expression.
fn brief(error: &str) -> String {
    let last = error.lines().last().unwrap_or_default();
    let last = last.strip_prefix("error: ").unwrap_or(last);
    format!("not a valid regular expression: {last}")
}

/// What the `regex` crate would accept in `text`, and RE2 would not.
fn foreign(text: &str) -> Option<&'static str> {
    let mut rest = text.char_indices();
    let mut class = false;
    let mut repeated = false;
    while let Some((at, c)) = rest.next() {
        let tail = &text[at..];
        match c {
            '\\' => {
                rest.next();
                let after = &text[at..rest.clone().next().map_or(text.len(), |(next, _)| next)];
                if is_property(after) && rest.as_str().starts_with('{') {
                    rest.by_ref().any(|(_, next)| next == '}');
                }
                repeated = false;
            }
            '[' if class && !tail.starts_with("[:") => return Some("a class within a class"),
            '[' => class = true,
            ']' => {
                class = false;
                repeated = false;
            }
            _ if class => {
                if ["&&", "--", "~~"]
                    .iter()
                    .any(|operator| tail.starts_with(operator))
                {
                    return Some("a set operation within a class");
                }
            }
            '*' | '+' if repeated => return Some("a repetition of a repetition"),
            '{' if too_often(tail) => return Some("a repetition of more than 1000 times"),
            '{' if repeated && is_count(tail) => return Some("a repetition of a repetition"),
            '{' if is_count(tail) => {
                // The count is one repetition, up to its brace.
                repeated = rest.by_ref().any(|(_, next)| next == '}');
            }
            '?' if repeated => {}
            _ => repeated = matches!(c, '*' | '+' | '?'),
        }
    }
    None
}

/// A `{` that begins no count is a letter in RE2, as in `/users/{id}`; the `regex` crate wants it escaped.
fn with_literal_braces(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    let mut class = false;
    let mut rest = text.char_indices();
    while let Some((at, c)) = rest.next() {
        match c {
            '[' => class = true,
            ']' => class = false,
            '{' if !class && !is_count(&text[at..]) && !is_property(&text[..at]) => {
                escaped.push('\\')
            }
            _ => {}
        }
        escaped.push(c);
        if c == '\\' {
            escaped.extend(rest.next().map(|(_, next)| next));
        }
    }
    escaped
}

/// Whether a brace after `before` belongs to `\p{..}`, `\P{..}` or `\x{..}`.
fn is_property(before: &str) -> bool {
    ["\\p", "\\P", "\\x"]
        .iter()
        .any(|escape| before.ends_with(escape))
}

fn is_count(tail: &str) -> bool {
    let Some((count, _)) = tail[1..].split_once('}') else {
        return false;
    };
    let (least, most) = count.split_once(',').unwrap_or((count, ""));
    let digits = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
    !least.is_empty() && digits(least) && digits(most)
}

fn too_often(tail: &str) -> bool {
    let Some((count, _)) = tail[1..].split_once('}') else {
        return false;
    };
    count
        .split(',')
        .any(|number| number.len() < 9 && number.parse().is_ok_and(|times: u32| times > 1_000))
}

#[cfg(test)]
mod tests {
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
            ("[a&&b]", "set operation"),
            ("[a--b]", "set operation"),
            ("[a[b]]", "class within a class"),
            (r"(?=a)", "not a valid"),
        ] {
            let error = whole(bad).map(|_| ()).unwrap_err();
            assert!(error.contains(why), "{bad}: {error}");
        }
        assert!(whole(&"a".repeat(1_025)).is_err());
    }
}
