//! Fields of Istio's API, from the list that the shapes of documents are compared with.

use std::collections::BTreeMap;
use std::fs;

use crate::{header, root, row};

/// The list: the kind, the path and what egret does, one field a line.
const LIST: &str = "config/src/wire/fields.txt";

/// What egret does with a field, in the words of the list.
const VERBS: &[(&str, &str)] = &[
    ("honoured", "has an effect"),
    (
        "warned",
        "has no effect; a warning names it and says what happens instead",
    ),
    ("refused", "is an error"),
    ("ignored", "concerns other parts of Istio, and is read over"),
];

pub(crate) fn page() -> String {
    let list = fs::read_to_string(root().join(LIST)).expect("the list of fields is readable");
    let mut kinds: BTreeMap<&str, Vec<(&str, &str)>> = BTreeMap::new();
    for line in list
        .lines()
        .filter(|line| !line.starts_with('#') && !line.is_empty())
    {
        let words: Vec<&str> = line.split(' ').collect();
        let [kind, path, verb] = words[..] else {
            panic!("{LIST}: a line has a kind, a path and a word: {line}");
        };
        assert!(
            VERBS.iter().any(|(known, _)| *known == verb),
            "{LIST}: {verb} is none of the words: {line}"
        );
        kinds.entry(kind).or_default().push((path, verb));
    }
    let mut text = "# Fields of Istio's API\n\n\
        Every field of the kinds that egret reads, and what egret does with it. Elements of lists are written `[]`, values of tables \
        `.*`. `egret-proxy check` names the fields of a configuration that have no effect. A field that Istio does not have is an error.\n\n"
        .to_owned();
    text += &header(["word", "the field"]);
    for (verb, about) in VERBS {
        text += &row([verb, about]);
    }
    for (kind, fields) in kinds {
        let count = |verb: &str| fields.iter().filter(|(_, own)| *own == verb).count();
        let counts: Vec<String> = VERBS
            .iter()
            .filter(|(verb, _)| count(verb) > 0)
            .map(|(verb, _)| format!("{} {verb}", count(verb)))
            .collect();
        text += &format!(
            "\n## {kind}\n\n{} fields: {}.\n\n",
            fields.len(),
            counts.join(", ")
        );
        text += &header(["field", "egret"]);
        for (path, verb) in fields {
            text += &row([&format!("`{path}`"), verb]);
        }
    }
    text
}
