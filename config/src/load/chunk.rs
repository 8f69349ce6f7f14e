//! Cuts a text into documents, so that a broken one hides no other.
//!
//! A line that begins with `---` or `...` at column 0 always separates YAML documents: no scalar may contain one. Cutting
//! there first lets the parser fail on one document at a time.

/// A part of a text that holds one document.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Chunk<'a> {
    pub(super) text: &'a str,
    /// The line of the whole text on which it begins, from 1.
    pub(super) line: u32,
}

impl<'a> Chunk<'a> {
    /// The line of its first content: comments, directives and separators are skipped. `None` when there is none.
    pub(super) fn first_line(&self) -> Option<u32> {
        for (number, line) in (self.line..).zip(self.text.lines()) {
            let line = line.strip_prefix("---").unwrap_or(line).trim();
            if !(line.is_empty() || line == "..." || line.starts_with(['#', '%'])) {
                return Some(number);
            }
        }
        None
    }

    /// Whether it begins as JSON does.
    pub(super) fn looks_like_json(&self) -> bool {
        self.text.trim_start().starts_with(['{', '['])
    }

    /// What follows `part`, which is one of this chunk's parts; the whole without one. Begins at content.
    pub(super) fn after(self, part: Option<&Self>) -> Self {
        let Some(part) = part else {
            return self;
        };
        let end = part.text.as_ptr().addr() - self.text.as_ptr().addr() + part.text.len();
        let rest = self.skip(end);
        rest.skip(rest.text.len() - rest.text.trim_start().len())
    }

    /// What follows from the next line that begins with `{`, the first line aside.
    pub(super) fn next_json(self) -> Option<Self> {
        Some(self.skip(self.text.find("\n{")? + 1))
    }

    fn skip(self, offset: usize) -> Self {
        let (passed, text) = self
            .text
            .split_at_checked(offset)
            .unwrap_or((self.text, ""));
        let newlines = passed.bytes().filter(|byte| *byte == b'\n').count();
        Self {
            text,
            line: self.line + u32::try_from(newlines).unwrap_or(u32::MAX),
        }
    }

    /// The text of a line of the whole text, if it lies in this chunk.
    pub(super) fn line_text(&self, line: u32) -> Option<&'a str> {
        let at = usize::try_from(line.checked_sub(self.line)?).ok()?;
        self.text.lines().nth(at)
    }

    /// The line of the whole text on which `key` is written, if it is written once only.
    pub(super) fn line_of_key(&self, key: &str) -> Option<u32> {
        let mut key_line = None;
        for (number, line) in (self.line..).zip(self.text.lines()) {
            let line = line.trim_start_matches([' ', '-', '{', '"', '\'']);
            let rest = line
                .strip_prefix(key)
                .map(|rest| rest.trim_start_matches(['"', '\'']));
            if rest.is_some_and(|rest| rest.trim_start().starts_with(':')) {
                if key_line.is_some() {
                    return None;
                }
                key_line = Some(number);
            }
        }
        key_line
    }
}

/// The YAML documents of a text, one after another; empty ones included.
pub(super) fn documents(text: &str) -> impl Iterator<Item = Chunk<'_>> {
    let mut rest = text;
    let mut line = 1;
    std::iter::from_fn(move || {
        if rest.is_empty() {
            return None;
        }
        let begin = line;
        let mut end = 0;
        for (index, one) in rest.split_inclusive('\n').enumerate() {
            if index > 0 && separates(one, "---") {
                break;
            }
            end += one.len();
            line += 1;
            if separates(one, "...") {
                break;
            }
        }
        let (document, after) = rest.split_at(end);
        rest = after;
        let document = match document.trim_end().strip_suffix("\n...") {
            Some(without_end_mark) => without_end_mark,
            None => document,
        };
        Some(Chunk {
            text: document,
            line: begin,
        })
    })
}

fn separates(line: &str, mark: &str) -> bool {
    line.strip_prefix(mark)
        .is_some_and(|rest| rest.is_empty() || rest.starts_with([' ', '\t', '\r', '\n']))
}

/// Finds the lines of parts of a text, which must be passed in their order.
pub(super) struct LineCounter<'a> {
    whole: Chunk<'a>,
    offset: usize,
    line: u32,
}

impl<'a> LineCounter<'a> {
    pub(super) fn new(whole: Chunk<'a>) -> Self {
        Self {
            whole,
            offset: 0,
            line: whole.line,
        }
    }

    pub(super) fn locate(&mut self, part: &'a str) -> Chunk<'a> {
        let begin = part.as_ptr().addr() - self.whole.text.as_ptr().addr();
        let passed = self
            .whole
            .text
            .as_bytes()
            .get(self.offset..begin)
            .unwrap_or_default();
        let newlines = passed.iter().filter(|byte| **byte == b'\n').count();
        self.line += u32::try_from(newlines).unwrap_or(u32::MAX);
        self.offset = begin;
        Chunk {
            text: part,
            line: self.line,
        }
    }
}

#[cfg(test)]
mod tests;
