//! A text of several YAML documents in pieces, which together are the text.

/// One document, with the line that begins it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Chunk<'t> {
    pub(super) text: &'t str,
    /// Its first line in the text, from 1.
    pub(super) line: u32,
}

/// Cuts a text before each line `---`. No value of YAML has such a line.
pub(super) fn chunks(text: &str) -> Vec<Chunk<'_>> {
    let mut chunks = Vec::new();
    let (mut start, mut start_line, mut at) = (0, 1, 0);
    let mut has_directive = false;
    for (number, line) in (1..).zip(text.split_inclusive('\n')) {
        // A directive belongs to the document behind it.
        if is_separator(line) && at > start && !has_directive {
            chunks.push(Chunk {
                text: text.get(start..at).unwrap_or_default(),
                line: start_line,
            });
            (start, start_line) = (at, number);
        }
        let is_first = || {
            let head = text.get(start..at).unwrap_or_default();
            head.split_inclusive('\n').all(is_head)
        };
        has_directive =
            (has_directive && !is_separator(line)) || (line.starts_with('%') && is_first());
        at += line.len();
    }
    chunks.push(Chunk {
        text: text.get(start..).unwrap_or_default(),
        line: start_line,
    });
    chunks
}

fn is_separator(line: &str) -> bool {
    line.strip_prefix("---")
        .is_some_and(|rest| rest.is_empty() || rest.starts_with([' ', '\t', '\r', '\n']))
}

/// Whether a line stands before the content of a document: a separator, a comment, a directive, or nothing.
fn is_head(line: &str) -> bool {
    let content = match line.strip_prefix("---") {
        Some(rest) if is_separator(line) => rest,
        _ => line,
    };
    let content = content.trim_start_matches('\u{FEFF}').trim();
    content.is_empty() || content.starts_with('#') || line.starts_with('%')
}

impl<'t> Chunk<'t> {
    /// The lines before the content.
    pub(super) fn head(&self) -> &'t str {
        let lines = self
            .text
            .split_inclusive('\n')
            .take_while(|line| is_head(line));
        let end = lines.map(str::len).sum();
        self.text.get(..end).unwrap_or_default()
    }

    /// Whether the content has comments, as far as its text shows it.
    pub(super) fn has_comments(&self) -> bool {
        let content = self.text.get(self.head().len()..).unwrap_or_default();
        content
            .lines()
            .any(|line| line.trim_start().starts_with('#') || line.contains(" #"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_pieces_are_the_text() {
        for (text, count) in [
            ("", 1),
            ("a: 1", 1),
            ("---\na: 1\n---\nb: 2\n", 2),
            ("a: 1\n--- # two\nb: 2\n---\n", 3),
            ("%YAML 1.2\n---\na: 1\n---\nb: |\n  --- no\n", 2),
            ("# licence\n---\na: 1\n", 2),
            ("a: |\n  %x\n---\nb: 1\n", 2),
        ] {
            let found = chunks(text);
            let joined: String = found.iter().map(|chunk| chunk.text).collect();
            assert_eq!((joined.as_str(), found.len()), (text, count), "{text:?}");
        }
    }

    #[test]
    fn lines_before_the_content_are_its_head() {
        let chunk = Chunk {
            text: "--- # one\n# two\n\na: 1 # three\n",
            line: 1,
        };
        assert_eq!(chunk.head(), "--- # one\n# two\n\n");
        assert!(chunk.has_comments());
    }
}
