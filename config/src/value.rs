//! Small values of Istio's objects: durations, string matches, paths.

pub mod base64;
pub mod moment;
pub mod path;

use std::fmt;
use std::time::Duration;

use regex::bytes::{Regex, RegexBuilder};

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
    /// A prefix of whole segments of a path: `/a` and `/a/b`, and not `/ab`. Only other APIs ask for it.
    Segments(Box<str>),
    /// The same under `ignoreUriCase`; holds lower case.
    SegmentsIgnoreCase(Box<str>),
    /// `regex`, over the whole text.
    Regex(Regex),
    /// `{}` or regex `*` on a header or query parameter: it must be there.
    Present,
}

impl StringMatch {
    /// Compiles a regular expression as RE2 would read it: the whole text, ASCII classes, bounded size.
    ///
    /// # Errors
    /// What is wrong with the expression: the `regex` crate's message.
    pub fn regex(text: &str) -> Result<Self, String> {
        compile(&format!("^(?:{text})$")).map(Self::Regex)
    }

    /// Whether `text` matches.
    pub fn matches(&self, text: &str) -> bool {
        match self {
            Self::Exact(exact) => **exact == *text,
            Self::ExactIgnoreCase(exact) => exact.eq_ignore_ascii_case(text),
            Self::Prefix(prefix) => text.starts_with(&**prefix),
            Self::PrefixIgnoreCase(prefix) => begins_with(text, prefix),
            Self::Segments(prefix) => text
                .strip_prefix(&**prefix)
                .is_some_and(|rest| rest.is_empty() || rest.starts_with('/')),
            Self::SegmentsIgnoreCase(prefix) => {
                begins_with(text, prefix)
                    && matches!(text.as_bytes().get(prefix.len()), None | Some(b'/'))
            }
            Self::Regex(regex) => regex.is_match(text.as_bytes()),
            Self::Present => true,
        }
    }

    /// Whether bytes that may not be text match; only a regular expression matches what is no text.
    pub fn matches_bytes(&self, bytes: &[u8]) -> bool {
        match self {
            Self::Regex(regex) => regex.is_match(bytes),
            Self::Present => true,
            Self::Exact(_)
            | Self::ExactIgnoreCase(_)
            | Self::Prefix(_)
            | Self::PrefixIgnoreCase(_)
            | Self::Segments(_)
            | Self::SegmentsIgnoreCase(_) => {
                std::str::from_utf8(bytes).is_ok_and(|text| self.matches(text))
            }
        }
    }

    /// Whether every text matches.
    pub fn matches_all(&self) -> bool {
        match self {
            Self::Present => true,
            Self::Regex(regex) => regex.as_str() == "^(?:.*)$",
            Self::Prefix(prefix) | Self::PrefixIgnoreCase(prefix) => prefix.is_empty(),
            Self::Exact(_)
            | Self::ExactIgnoreCase(_)
            | Self::Segments(_)
            | Self::SegmentsIgnoreCase(_) => false,
        }
    }

    /// Whether it is certain that every text that `narrower` matches is matched by this too.
    pub fn covers(&self, narrower: &Self) -> bool {
        if self.matches_all() {
            return true;
        }
        match (self, narrower) {
            (Self::Regex(wider), Self::Regex(narrower)) => wider.as_str() == narrower.as_str(),
            (
                Self::Prefix(wider),
                Self::Exact(text) | Self::Prefix(text) | Self::Segments(text),
            ) => text.starts_with(&**wider),
            (
                Self::PrefixIgnoreCase(wider),
                Self::Exact(text)
                | Self::Prefix(text)
                | Self::Segments(text)
                | Self::ExactIgnoreCase(text)
                | Self::PrefixIgnoreCase(text)
                | Self::SegmentsIgnoreCase(text),
            ) => begins_with(text, wider),
            (Self::ExactIgnoreCase(wider), Self::ExactIgnoreCase(text)) => wider == text,
            (Self::Segments(_), Self::Segments(text))
            | (
                Self::SegmentsIgnoreCase(_),
                Self::Segments(text) | Self::SegmentsIgnoreCase(text),
            )
            | (_, Self::Exact(text)) => self.matches(text),
            _ => false,
        }
    }

    /// Whether a delegate may have `leaf` below a root that has this. Regular expressions and mere presence let
    /// nothing through, as in Istio.
    pub fn lets_through(&self, leaf: &Self) -> bool {
        match (self, leaf) {
            (Self::Exact(root), Self::Exact(leaf))
            | (Self::ExactIgnoreCase(root), Self::ExactIgnoreCase(leaf)) => root == leaf,
            (Self::Prefix(root), Self::Exact(leaf) | Self::Prefix(leaf))
            | (
                Self::PrefixIgnoreCase(root),
                Self::ExactIgnoreCase(leaf) | Self::PrefixIgnoreCase(leaf),
            ) => leaf.starts_with(&**root),
            _ => false,
        }
    }
}

/// As admin pages show it: `/exact`, `/prefix*`, `regex …`, `*`.
impl fmt::Display for StringMatch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Exact(text) => f.write_str(text),
            Self::ExactIgnoreCase(text) => write!(f, "{text} (any case)"),
            Self::Prefix(text) => write!(f, "{text}*"),
            Self::PrefixIgnoreCase(text) => write!(f, "{text}* (any case)"),
            Self::Segments(text) => write!(f, "{text}[/*]"),
            Self::SegmentsIgnoreCase(text) => write!(f, "{text}[/*] (any case)"),
            Self::Regex(regex) => write!(f, "regex {}", regex.as_str()),
            Self::Present => f.write_str("*"),
        }
    }
}

/// Whether a text begins with a prefix, whatever the case of either's ASCII letters.
fn begins_with(text: &str, prefix: &str) -> bool {
    text.as_bytes()
        .get(..prefix.len())
        .is_some_and(|head| head.eq_ignore_ascii_case(prefix.as_bytes()))
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
        for (text, whole, any_case) in [
            ("/ab", true, true),
            ("/ab/", true, true),
            ("/ab/c", true, true),
            ("/abc", false, false),
            ("/AB/c", false, true),
            ("/a", false, false),
        ] {
            assert_eq!(
                StringMatch::Segments("/ab".into()).matches(text),
                whole,
                "{text}"
            );
            let segments = StringMatch::SegmentsIgnoreCase("/ab".into());
            assert_eq!(segments.matches(text), any_case, "{text}");
        }
    }

    /// What covers another has to match whatever the other matches.
    #[test]
    fn what_covers_matches_at_least_as_much() {
        let texts = [
            "", "/", "/a", "/A", "/ab", "/aB", "/ab/", "/ab/c", "/abc", "x",
        ];
        let mut all = vec![StringMatch::Present];
        for text in texts {
            all.extend([
                StringMatch::Exact(text.into()),
                StringMatch::ExactIgnoreCase(text.to_ascii_lowercase().into()),
                StringMatch::Prefix(text.into()),
                StringMatch::PrefixIgnoreCase(text.to_ascii_lowercase().into()),
                StringMatch::Segments(text.into()),
                StringMatch::SegmentsIgnoreCase(text.to_ascii_lowercase().into()),
            ]);
        }
        for regex in [".*", "/a.*", "/ab|/abc"] {
            all.push(StringMatch::regex(regex).unwrap());
        }
        let mut covered = 0;
        for wider in &all {
            for narrower in all.iter().filter(|narrower| wider.covers(narrower)) {
                covered += 1;
                for text in texts.iter().filter(|text| narrower.matches(text)) {
                    assert!(
                        wider.matches(text),
                        "{wider} covers {narrower}, and not {text}"
                    );
                }
            }
        }
        assert!(covered > 500, "only {covered} pairs cover");
    }
}
