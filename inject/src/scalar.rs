//! Scalars that a value cannot hold without changing how they are written: `1.50`, integers of 20 digits, YAML 1.1's `yes`.
//!
//! They travel through a [`serde_json::Value`] as strings that begin with [`MARK`], and are written as they were read.

/// The first character of a string that stands for a plain scalar. It is of the private use area. A user's string that begins
/// with it has it twice.
pub const MARK: char = '\u{F8FF}';

/// The string that stands for a plain scalar.
pub fn plain(text: &str) -> String {
    format!("{MARK}{text}")
}

/// The string that stands for a user's string.
pub fn string(text: &str) -> String {
    if text.starts_with(MARK) {
        return format!("{MARK}{text}");
    }
    text.to_owned()
}

/// A string of a value as its author wrote it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scalar<'t> {
    /// A string.
    Text(&'t str),
    /// A plain scalar that is no string.
    Plain(&'t str),
}

/// What a string of a value stands for.
pub fn read(text: &str) -> Scalar<'_> {
    match text.strip_prefix(MARK) {
        None => Scalar::Text(text),
        Some(rest) if rest.starts_with(MARK) => Scalar::Text(rest),
        Some(rest) => Scalar::Plain(rest),
    }
}

/// What a plain scalar of YAML is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Plain {
    /// Nothing: empty, `~` or `null`.
    Null,
    /// A boolean of YAML 1.2.
    Bool(bool),
    /// A number, or what YAML 1.1 reads as a boolean, a number or a date.
    Other,
    /// A string in YAML 1.1 and 1.2.
    Text,
}

/// Reads a plain scalar. The rules of YAML 1.1 and 1.2 are joined, since readers of manifests follow one or the other.
pub fn resolve(text: &str) -> Plain {
    match text {
        "" | "~" | "null" | "Null" | "NULL" => Plain::Null,
        "true" | "True" | "TRUE" => Plain::Bool(true),
        "false" | "False" | "FALSE" => Plain::Bool(false),
        "y" | "Y" | "yes" | "Yes" | "YES" | "on" | "On" | "ON" => Plain::Other,
        "n" | "N" | "no" | "No" | "NO" | "off" | "Off" | "OFF" => Plain::Other,
        "=" | "<<" => Plain::Other,
        text if looks_like_number(text) => Plain::Other,
        _ => Plain::Text,
    }
}

/// Whether any reader could take the text for a number or a date.
fn looks_like_number(text: &str) -> bool {
    let unsigned = text.strip_prefix(['-', '+']).unwrap_or(text);
    if matches!(
        unsigned,
        ".inf" | ".Inf" | ".INF" | ".nan" | ".NaN" | ".NAN"
    ) {
        return true;
    }
    let digits = unsigned.strip_prefix('.').unwrap_or(unsigned);
    if !digits.starts_with(|c: char| c.is_ascii_digit()) {
        return false;
    }
    if let Some(hex) = unsigned.strip_prefix("0x") {
        return hex.bytes().all(|c| c.is_ascii_hexdigit() || c == b'_');
    }
    is_date(unsigned) || is_number(unsigned)
}

/// `2001-12-14`, with a time behind it or without one.
fn is_date(text: &str) -> bool {
    let (year, rest) = text.split_once('-').unwrap_or_default();
    let is_part =
        |c: char| c.is_ascii_digit() || matches!(c, '-' | ':' | '.' | 'T' | 't' | 'Z' | '+' | ' ');
    year.len() == 4
        && year.bytes().all(|c| c.is_ascii_digit())
        && rest.contains('-')
        && rest.chars().all(is_part)
}

/// Digits with at most one point, `_` or `:` between them, and an exponent behind them.
fn is_number(text: &str) -> bool {
    let text = text
        .strip_prefix("0b")
        .or(text.strip_prefix("0o"))
        .unwrap_or(text);
    let (mantissa, exponent) = match text.split_once(['e', 'E']) {
        Some((mantissa, exponent)) => (mantissa, Some(exponent)),
        None => (text, None),
    };
    let is_exponent = |exponent: &str| {
        let digits = exponent.strip_prefix(['+', '-']).unwrap_or(exponent);
        !digits.is_empty() && digits.bytes().all(|c| c.is_ascii_digit())
    };
    exponent.is_none_or(is_exponent)
        && mantissa.matches('.').count() <= 1
        && mantissa
            .chars()
            .all(|c| c.is_ascii_digit() || matches!(c, '.' | '_' | ':'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_yaml_reads_otherwise_is_found() {
        for text in [
            "yes",
            "0123",
            "12:30:45",
            "1e3",
            "1.50",
            "-.5",
            "0x1F",
            "0o17",
            "1_000",
            ".inf",
            "2001-12-14",
            "12345678901234567890",
            "=",
            "<<",
            "+1",
            "2001-12-14T21:59:43.10-05:00",
        ] {
            assert_eq!(resolve(text), Plain::Other, "{text}");
        }
        for text in [
            "a",
            "192.0.2.1",
            "1-2",
            "1.2.3.4/8",
            "v1",
            "10m",
            "1Gi",
            "-",
            "0xyz",
            "1a",
        ] {
            assert_eq!(resolve(text), Plain::Text, "{text}");
        }
        assert_eq!(resolve("~"), Plain::Null);
        assert_eq!(resolve("True"), Plain::Bool(true));
    }

    #[test]
    fn marks_are_read_back() {
        assert_eq!(read(&plain("1.50")), Scalar::Plain("1.50"));
        let own = format!("{MARK}x");
        assert_eq!(read(&string(&own)), Scalar::Text(&own));
        assert_eq!(read(&string("x")), Scalar::Text("x"));
    }
}
