//! Values of labels as the text format writes them.

/// Bytes of a value that are shown; the rest is cut.
pub const VALUE_MAX: usize = 255;

/// A value cut at [`VALUE_MAX`] bytes, or just before a character that would go over.
pub fn cut(value: &str) -> &str {
    if value.len() <= VALUE_MAX {
        return value;
    }
    let end = (0..=VALUE_MAX)
        .rev()
        .find(|end| value.is_char_boundary(*end));
    &value[..end.unwrap_or_default()]
}

/// Appends `name="value"`, behind a comma where something stands before it.
pub fn label(text: &mut String, name: &str, value: &str) {
    if !text.is_empty() {
        text.push(',');
    }
    text.push_str(name);
    text.push_str("=\"");
    for character in cut(value).chars() {
        match character {
            '\\' => text.push_str("\\\\"),
            '"' => text.push_str("\\\""),
            '\n' => text.push_str("\\n"),
            other => text.push(other),
        }
    }
    text.push('"');
}

/// The labels of a text that [`label`] made, with their values as they were before.
pub fn read_labels(mut text: &str) -> Vec<(&str, String)> {
    let mut labels = Vec::new();
    while let Some((name, rest)) = text.split_once("=\"") {
        let mut value = String::new();
        let mut characters = rest.char_indices();
        let end = loop {
            match characters.next() {
                None => break rest.len(),
                Some((at, '"')) => break at + 1,
                Some((_, '\\')) => value.extend(match characters.next() {
                    Some((_, 'n')) => Some('\n'),
                    other => other.map(|(_, other)| other),
                }),
                Some((_, other)) => value.push(other),
            }
        };
        labels.push((name.trim_start_matches(','), value));
        text = &rest[end..];
    }
    labels
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_escaped_and_cut_at_a_character() {
        let long = "a".repeat(254) + "ä";
        for (value, expected) in [
            ("plain", "plain"),
            (
                r#"say "hi" \ and
bye"#,
                r#"say \"hi\" \\ and\nbye"#,
            ),
            ("", ""),
            (&long, &long[..254]),
        ] {
            let mut text = String::new();
            label(&mut text, "name", value);
            assert_eq!(text, format!("name=\"{expected}\""));
            assert_eq!(read_labels(&text), [("name", cut(value).to_owned())]);
        }
    }

    #[test]
    fn labels_stand_behind_commas() {
        let mut text = String::new();
        label(&mut text, "a", "1");
        label(&mut text, "b", "2");
        assert_eq!(text, "a=\"1\",b=\"2\"");
        let read = [("a", "1".to_owned()), ("b", "2".to_owned())];
        assert_eq!(read_labels(&text), read);
    }
}
