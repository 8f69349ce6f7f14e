//! The one spelling of a request's path that rules see and upstreams get.

use std::borrow::Cow;

/// How much two spellings of a path must have in common to be one: MeshConfig `pathNormalization`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum PathNormalization {
    /// `NONE`: paths stay as they come.
    None,
    /// `BASE`, the default: dot segments are resolved, parameters and all (`..;x`); letters that were escaped without need
    /// are plain, and what no path may have is escaped; backslashes are slashes. `//` and `%2F` stay.
    #[default]
    Base,
    /// `MERGE_SLASHES`: and several slashes in a row are one.
    MergeSlashes,
    /// `DECODE_AND_MERGE_SLASHES`: and `%2F` and `%5C` are slashes before all that.
    DecodeAndMergeSlashes,
}

/// A path, maybe with a query, in its regular spelling. The query stays as it is, and so does what is no path.
pub fn normalised(path_and_query: &str, how: PathNormalization) -> Cow<'_, str> {
    let end = path_and_query.find('?').unwrap_or(path_and_query.len());
    let (path, query) = path_and_query.split_at(end);
    let merges = matches!(
        how,
        PathNormalization::MergeSlashes | PathNormalization::DecodeAndMergeSlashes
    );
    if how == PathNormalization::None
        || !path.starts_with('/')
        || !is_irregular(path.as_bytes(), merges)
    {
        return Cow::Borrowed(path_and_query);
    }
    let slashes = how == PathNormalization::DecodeAndMergeSlashes;
    let plain = plain(path.as_bytes(), slashes);
    let mut regular = without_dot_segments(&plain);
    if merges {
        regular.dedup_by(|one, before| *one == b'/' && *before == b'/');
    }
    regular.extend_from_slice(query.as_bytes());
    // The input was text, and only ASCII was changed.
    String::from_utf8(regular).map_or(Cow::Borrowed(path_and_query), Cow::Owned)
}

/// Whether the path, before the query, has an escaped zero byte. Who reads it may take it for the end of the path.
pub fn has_zero(path_and_query: &str) -> bool {
    let path = path_and_query.split('?').next().unwrap_or_default();
    path.contains("%00")
}

/// Whether a path may have another spelling.
fn is_irregular(path: &[u8], merges: bool) -> bool {
    let mut before = 0;
    path.iter().any(|byte| {
        let doubtful = match byte {
            b'%' | b'\\' => true,
            byte if needs_escape(*byte) => true,
            b'.' => before == b'/',
            b'/' => merges && before == b'/',
            _ => false,
        };
        before = *byte;
        doubtful
    })
}

/// Whether this is printable ASCII that no path may have (RFC 3986, 3.3), but for brackets, which many write.
fn needs_escape(byte: u8) -> bool {
    matches!(byte, b'"' | b'<' | b'>' | b'^' | b'`' | b'{' | b'|' | b'}')
}

/// A path without needless escapes and backslashes; with `slashes`, escaped slashes are slashes.
fn plain(path: &[u8], slashes: bool) -> Vec<u8> {
    let mut plain = Vec::with_capacity(path.len());
    let mut rest = path;
    while let [first, after @ ..] = rest {
        rest = after;
        let letter = match (first, after) {
            (b'%', [high, low, after @ ..]) => match unescaped(*high, *low, slashes) {
                Some(letter) => {
                    rest = after;
                    letter
                }
                None => b'%',
            },
            (b'\\', _) => b'/',
            (letter, _) => *letter,
        };
        if needs_escape(letter) {
            let digits = b"0123456789ABCDEF";
            let [high, low] = [letter >> 4, letter & 15].map(|half| digits[usize::from(half)]);
            plain.extend([b'%', high, low]);
        } else {
            plain.push(letter);
        }
    }
    plain
}

/// The letter of `%<high><low>`, if it needs no escape.
fn unescaped(high: u8, low: u8, slashes: bool) -> Option<u8> {
    let digit = |byte: u8| char::from(byte).to_digit(16);
    let letter = u8::try_from(digit(high)? * 16 + digit(low)?).ok()?;
    match letter {
        b'/' | b'\\' if slashes => Some(b'/'),
        letter => (letter.is_ascii_alphanumeric() || b"-._~".contains(&letter)).then_some(letter),
    }
}

/// RFC 3986, 5.2.4, for a path that begins with a slash.
fn without_dot_segments(path: &[u8]) -> Vec<u8> {
    let mut regular: Vec<u8> = Vec::with_capacity(path.len());
    let mut segments = path[1..].split(|byte| *byte == b'/').peekable();
    while let Some(segment) = segments.next() {
        let last = segments.peek().is_none();
        // Servers that support parameters of segments go up at `..;x` as well.
        let name = segment.split(|byte| *byte == b';').next();
        match name.unwrap_or(segment) {
            name @ (b"." | b"..") => {
                if name == b".." {
                    let parent = regular.iter().rposition(|byte| *byte == b'/').unwrap_or(0);
                    regular.truncate(parent);
                }
                if last {
                    regular.push(b'/');
                }
            }
            _ => {
                regular.push(b'/');
                regular.extend_from_slice(segment);
            }
        }
    }
    regular
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_get_one_spelling() {
        for (path, expected) in [
            ("/", "/"),
            ("/a/b?x=/../y", "/a/b?x=/../y"),
            ("/a/../b", "/b"),
            ("/a/./b/.", "/a/b/"),
            ("/a/..", "/"),
            ("/../../a", "/a"),
            ("/a/%2e%2E/b", "/b"),
            ("/%61%2Fb%20?%61", "/a%2Fb%20?%61"),
            ("/a\\b\\..\\c", "/a/c"),
            ("/a//b", "/a//b"),
            ("/a//../b", "/a/b"),
            ("/a%", "/a%"),
            ("/a%zz", "/a%zz"),
            ("/.well-known/x", "/.well-known/x"),
            ("/a/..;/b", "/b"),
            ("/a/..;x=1/b;..", "/b;.."),
            ("/a/%2e%2e;/.;/b/..;", "/"),
            ("/a/...;/;/b;/..", "/a/...;/;/"),
            ("/\"<>^`{|}[]", "/%22%3C%3E%5E%60%7B%7C%7D[]"),
            ("/x?\"<>^`{|}/..;", "/x?\"<>^`{|}/..;"),
            ("*", "*"),
        ] {
            let normal = normalised(path, PathNormalization::Base);
            assert_eq!(normal, expected, "{path}");
        }
    }

    #[test]
    fn zero_bytes_are_detected_in_the_path_alone() {
        for (path, expected) in [("/a%00", true), ("/a%2500", false), ("/a?%00", false)] {
            assert_eq!(has_zero(path), expected, "{path}");
        }
    }

    #[test]
    fn as_much_as_the_mesh_sets() {
        use PathNormalization::{DecodeAndMergeSlashes, MergeSlashes, None};
        for (path, none, merged, decoded) in [
            ("/a/../b", "/a/../b", "/b", "/b"),
            ("/a%2e", "/a%2e", "/a.", "/a."),
            ("//a///b/?//", "//a///b/?//", "/a/b/?//", "/a/b/?//"),
            ("/a//../b", "/a//../b", "/a/b", "/a/b"),
            ("/a%2F%2fb", "/a%2F%2fb", "/a%2F%2fb", "/a/b"),
            ("/a%5Cb?%2F", "/a%5Cb?%2F", "/a%5Cb?%2F", "/a/b?%2F"),
            ("/a%2F..%2Fb", "/a%2F..%2Fb", "/a%2F..%2Fb", "/b"),
            ("/a%252Fb", "/a%252Fb", "/a%252Fb", "/a%252Fb"),
            ("/a/b", "/a/b", "/a/b", "/a/b"),
        ] {
            for (how, expected) in [
                (None, none),
                (MergeSlashes, merged),
                (DecodeAndMergeSlashes, decoded),
            ] {
                assert_eq!(normalised(path, how), expected, "{path} {how:?}");
            }
        }
    }
}
