//! Small values of Istio's objects: durations, string matches, paths.

pub mod path;

use std::time::Duration;

use regex::bytes::Regex;
use regex::bytes::RegexBuilder;

/// Reads a protobuf JSON duration (`"1s"`, `"0.5s"`) or a Go one (`"1h30m"`, `"250ms"`), as Istio's YAML accepts both.
/// `None` when it is neither, or negative.
pub fn duration(text: &str) -> Option<Duration> {
    if text == "0" {
        return Some(Duration::ZERO);
    }
    let mut rest = text;
    let mut total = 0f64;
    while !rest.is_empty() {
        let digits = rest
            .find(|c: char| !c.is_ascii_digit() && c != '.')
            .filter(|at| *at > 0)?;
        let number: f64 = rest[..digits].parse().ok()?;
        rest = &rest[digits..];
        let word = rest
            .find(|c: char| c.is_ascii_digit() || c == '.')
            .unwrap_or(rest.len());
        total += number
            * match &rest[..word] {
                "h" => 3600.0,
                "m" => 60.0,
                "s" => 1.0,
                "ms" => 1e-3,
                "us" | "µs" => 1e-6,
                "ns" => 1e-9,
                _ => return None,
            };
        rest = &rest[word..];
    }
    (!text.is_empty())
        .then(|| Duration::try_from_secs_f64(total).ok())
        .flatten()
}

/// Istio's `StringMatch`. Regular expressions are compiled once, match the whole text, and read bytes as RE2 does.
#[derive(Clone, Debug)]
pub enum StringMatch {
    /// `exact`.
    Exact(Box<str>),
    /// `exact` under `ignoreUriCase`; holds lower case.
    ExactIgnoreCase(Box<str>),
    /// `prefix`.
    Prefix(Box<str>),
    /// `prefix` under `ignoreUriCase`; holds lower case.
    PrefixIgnoreCase(Box<str>),
    /// `regex`, over the whole text.
    Regex(Regex),
    /// `{}` or regex `*` on a header or query parameter: it must be there.
    Present,
}

impl StringMatch {
    /// Compiles a regular expression as RE2 would read it: the whole text, ASCII classes, bounded size.
    ///
    /// # Errors
    /// What is wrong with the expression, in the words of the `regex` crate.
    pub fn regex(text: &str) -> Result<Self, String> {
        compile(&format!("^(?:{text})$")).map(Self::Regex)
    }

    /// Whether `text` matches.
    pub fn matches(&self, text: &str) -> bool {
        match self {
            Self::Exact(exact) => **exact == *text,
            Self::ExactIgnoreCase(exact) => exact.eq_ignore_ascii_case(text),
            Self::Prefix(prefix) => text.starts_with(&**prefix),
            Self::PrefixIgnoreCase(prefix) => text
                .as_bytes()
                .get(..prefix.len())
                .is_some_and(|head| head.eq_ignore_ascii_case(prefix.as_bytes())),
            Self::Regex(regex) => regex.is_match(text.as_bytes()),
            Self::Present => true,
        }
    }
}

/// Compiles an expression for searching or replacing inside a text (`rewrite.uriRegexRewrite`).
///
/// # Errors
/// What is wrong with the expression.
pub fn compile(text: &str) -> Result<Regex, String> {
    RegexBuilder::new(text)
        .unicode(false)
        .size_limit(1 << 20)
        .build()
        .map_err(|error| error.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations() {
        for (text, millis) in [
            ("1s", 1000),
            ("0.5s", 500),
            ("1h30m", 5_400_000),
            ("250ms", 250),
            ("0s", 0),
            ("0", 0),
        ] {
            assert_eq!(
                duration(text),
                Some(Duration::from_millis(millis)),
                "{text}"
            );
        }
        for bad in ["", "1", "s", "-1s", "1x", "1s2", "1..s"] {
            assert_eq!(duration(bad), None, "{bad}");
        }
    }

    #[test]
    fn matches() {
        assert!(StringMatch::regex("/a.*").unwrap().matches("/abc"));
        assert!(!StringMatch::regex("a|b").unwrap().matches("ab"));
        assert!(StringMatch::PrefixIgnoreCase("/ab".into()).matches("/ABC"));
        assert!(!StringMatch::PrefixIgnoreCase("/ab".into()).matches("/a"));
    }
}
