//! `--set key=value`, as helm reads it.

use serde_json::{Map, Value};

use crate::tree;

/// Sets `key=value`, several behind commas. Keys are joined by dots; `\.` is a dot inside of a key. `true`, `false`, `null` and whole
/// numbers have these types, `{a,b}` is a list, and all else is a string.
///
/// # Errors
/// What is expected.
pub fn set(settings: &mut Map<String, Value>, assignments: &str) -> Result<(), String> {
    for assignment in split(assignments, ',') {
        let (path, value) = assignment
            .split_once('=')
            .filter(|(path, _)| !path.is_empty())
            .ok_or_else(|| format!("{assignment:?} is not key=value"))?;
        let keys: Vec<String> = split(path, '.');
        let Some((last, parents)) = keys.split_last() else {
            continue;
        };
        let parent = parents
            .iter()
            .fold(&mut *settings, |parent, key| tree::object(parent, key));
        parent.insert(last.clone(), typed(value));
    }
    Ok(())
}

/// Splits at a character that has no backslash before it and stands outside of braces.
fn split(text: &str, at: char) -> Vec<String> {
    let mut parts = vec![String::new()];
    let mut depth = 0_u32;
    let mut characters = text.chars();
    while let Some(c) = characters.next() {
        let mut add = |c: char| {
            if let Some(last) = parts.last_mut() {
                last.push(c);
            }
        };
        match c {
            '\\' => match characters.next() {
                Some(next) if next == at => add(next),
                next => {
                    add('\\');
                    next.into_iter().for_each(add);
                }
            },
            c if c == at && depth == 0 => parts.push(String::new()),
            c => {
                match c {
                    '{' => depth += 1,
                    '}' => depth = depth.saturating_sub(1),
                    _ => {}
                }
                add(c);
            }
        }
    }
    parts
}

fn typed(text: &str) -> Value {
    if let Some(list) = text
        .strip_prefix('{')
        .and_then(|rest| rest.strip_suffix('}'))
    {
        return split(list, ',').iter().map(|one| typed(one)).collect();
    }
    match text {
        "true" => Value::Bool(true),
        "false" => Value::Bool(false),
        "null" => Value::Null,
        text => match text.parse::<i64>() {
            Ok(number) if number.to_string() == text => Value::from(number),
            _ => Value::String(text.to_owned()),
        },
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn keys_have_dots_and_values_have_types() {
        let mut settings = Map::new();
        set(
            &mut settings,
            r"a.b=1,a.c\.d=x=y,e=true,f={p,q},g=0123,h=a\,b",
        )
        .unwrap();
        assert_eq!(
            Value::Object(settings.clone()),
            json!({"a": {"b": 1, "c.d": "x=y"}, "e": true, "f": ["p", "q"], "g": "0123", "h": "a,b"})
        );
        assert_eq!(
            set(&mut settings, "a"),
            Err("\"a\" is not key=value".to_owned())
        );
        assert!(set(&mut settings, "=1").is_err());
    }
}
