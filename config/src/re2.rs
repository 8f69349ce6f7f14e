//! Regular expressions as Istio admits them: RE2, at most 1,024 characters.
//!
//! The `regex` crate reads nearly RE2's language. Where it accepts what RE2 refuses or reads differently, the expression
//! is refused, so that one that works here works in Istio too.

use crate::value;
use crate::value::StringMatch;

/// Length of an expression that Istio admits.
const LENGTH_MAX: usize = 1_024;

/// Escapes for classes, and their meaning in RE2.
const ASCII_CLASSES: [(&str, &str); 6] = [
    (r"\d", "[0-9]"),
    (r"\D", "[^0-9]"),
    (r"\s", r"[\t\n\f\r ]"),
    (r"\S", r"[^\t\n\f\r ]"),
    (r"\w", "[0-9A-Za-z_]"),
    (r"\W", "[^0-9A-Za-z_]"),
];

/// Compiles an expression that must match a whole text.
pub(crate) fn whole(text: &str) -> Result<StringMatch, String> {
    StringMatch::regex(&checked(text)?).map_err(|error| brief(&error))
}

/// An expression that is searched for in texts.
#[derive(Clone, Debug)]
pub struct Search(regex::bytes::Regex);

impl Search {
    /// Compiles it.
    ///
    /// # Errors
    /// Why it is no expression of RE2.
    pub fn new(text: &str) -> Result<Self, String> {
        part(text).map(Self)
    }

    /// Whether a text has it somewhere.
    pub fn is_in(&self, text: &str) -> bool {
        self.0.is_match(text.as_bytes())
    }
}

/// Compiles an expression that is searched for.
pub(crate) fn part(text: &str) -> Result<regex::bytes::Regex, String> {
    value::compile(&checked(text)?).map_err(|error| brief(&error))
}

/// The expression in the syntax of the `regex` crate.
fn checked(text: &str) -> Result<String, String> {
    if text.is_empty() {
        return Err("a regular expression cannot be empty".into());
    }
    if text.len() > LENGTH_MAX {
        return Err(format!(
            "longer than the {LENGTH_MAX} characters that Istio admits"
        ));
    }
    let text = unquoted(text);
    match foreign(&text) {
        Some(feature) => Err(format!("{feature}, which RE2 does not have")),
        None => Ok(translated(&text)),
    }
}

/// The last line of the compiler's report, which has the reason; the rest draws the expression.
fn brief(error: &str) -> String {
    let last = error.lines().last().unwrap_or_default();
    let last = last.strip_prefix("error: ").unwrap_or(last);
    format!("not a valid regular expression: {last}")
}

/// What the `regex` crate would accept in `text`, and RE2 would not.
fn foreign(text: &str) -> Option<&'static str> {
    let mut rest = text;
    let mut repeated = false;
    while let Some(c) = rest.chars().next() {
        let mut length = c.len_utf8();
        match c {
            '\\' => {
                length = escape_length(rest);
                repeated = false;
            }
            '[' => {
                length = class_length(rest);
                if rest[..length].contains("--") {
                    return Some("a set operation within a class");
                }
                repeated = false;
            }
            '*' | '+' if repeated => return Some("a repetition of a repetition"),
            '{' if too_often(rest) => return Some("a repetition of more than 1000 times"),
            '{' if repeated && is_count(rest) => return Some("a repetition of a repetition"),
            '{' if is_count(rest) => {
                // The count is one repetition, up to its brace.
                length = rest.find('}').map_or(length, |end| end + 1);
                repeated = true;
            }
            '?' if repeated => {}
            _ => repeated = matches!(c, '*' | '+' | '?'),
        }
        rest = &rest[length..];
    }
    None
}

/// The expression in the syntax of the `regex` crate. Letters of RE2 with a meaning in the crate are escaped: a `{` that
/// begins no count, as in `/users/{id}`, and what would begin a class or an operation within a class. And `\p{..}` needs
/// Unicode, which is off for everything else.
fn translated(text: &str) -> String {
    let mut out = String::with_capacity(text.len() + 8);
    let mut rest = text;
    while let Some(c) = rest.chars().next() {
        let length = match c {
            '\\' => escape_length(rest),
            '[' => class_length(rest),
            _ => c.len_utf8(),
        };
        let (token, after) = rest.split_at(length);
        let unicode = has_property(token);
        out.push_str(if unicode { "(?u:" } else { "" });
        match c {
            '[' => out.push_str(&class_translated(token, unicode)),
            '{' if !is_count(rest) => out.push_str("\\{"),
            _ => out.push_str(token),
        }
        out.push_str(if unicode { ")" } else { "" });
        rest = after;
    }
    out
}

/// A class. With `unicode` its `\d`, `\s` and `\w` are written out, since they are ASCII to RE2 beside a property, too.
fn class_translated(class: &str, unicode: bool) -> String {
    let mut out = String::with_capacity(class.len() + 4);
    let mut rest = class;
    while let Some(c) = rest.chars().next() {
        let length = match c {
            '\\' => escape_length(rest),
            '[' if rest.starts_with("[:") => named_length(rest),
            _ => c.len_utf8(),
        };
        let nested = c == '[' && length == 1 && !out.is_empty();
        if nested || matches!(c, '&' | '~') {
            out.push('\\');
        }
        let ascii = ASCII_CLASSES
            .iter()
            .find(|(escape, _)| unicode && rest[..length] == **escape);
        out.push_str(ascii.map_or(&rest[..length], |(_, class)| class));
        rest = &rest[length..];
    }
    out
}

/// `\Q..\E` with what is between as letters, up to the end when there is no `\E`.
fn unquoted(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find('\\') {
        let (before, escape) = rest.split_at(at);
        out.push_str(before);
        rest = match escape.strip_prefix("\\Q") {
            Some(quoted) => {
                let (inside, after) = quoted.split_once("\\E").unwrap_or((quoted, ""));
                out.push_str(&::regex::escape(inside));
                after
            }
            None => {
                let (plain, after) = escape.split_at(escape_length(escape));
                out.push_str(plain);
                after
            }
        };
    }
    out.push_str(rest);
    out
}

/// Bytes of the escape that `text` begins with, its property or number included.
fn escape_length(text: &str) -> usize {
    let mut letters = text[1..].chars();
    let letter = letters.next();
    let plain = 1 + letter.map_or(0, char::len_utf8);
    match (letter, letters.next()) {
        (Some('p' | 'P' | 'x'), Some('{')) => {
            text[plain..].find('}').map_or(plain, |end| plain + end + 1)
        }
        (Some('p' | 'P'), Some(name)) => plain + name.len_utf8(),
        _ => plain,
    }
}

/// Bytes of the class that `text` begins with; all of it when the class does not end.
fn class_length(text: &str) -> usize {
    let mut at = 1 + usize::from(text[1..].starts_with('^'));
    at += usize::from(text[at..].starts_with(']'));
    while let Some(c) = text[at..].chars().next() {
        at += match c {
            ']' => return at + 1,
            '\\' => escape_length(&text[at..]),
            '[' if text[at..].starts_with("[:") => named_length(&text[at..]),
            _ => c.len_utf8(),
        };
    }
    text.len()
}

/// Bytes of the `[:name:]` that `text` begins with.
fn named_length(text: &str) -> usize {
    text.find(":]").map_or(1, |length| length + 2)
}

/// Whether an escape or a class has a `\p` or `\P`.
fn has_property(token: &str) -> bool {
    let mut escapes = token.char_indices();
    while let Some((_, c)) = escapes.next() {
        if c == '\\' && matches!(escapes.next(), Some((_, 'p' | 'P'))) {
            return true;
        }
    }
    false
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
mod tests;
