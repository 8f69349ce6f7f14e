//! Operators of the access log, and the keys of its default JSON.

use egret_config::log_format::commands::COMMANDS;
use egret_config::log_format::defaults::{DEFAULT_KEYS, DEFAULT_TEXT};
use egret_config::log_format::facts::{FACTS, UNKNOWN, ValueKind};

use crate::{header, row};

const INTRODUCTION: &str = "# Access log\n\n\
    One line for each request, and for each connection that carries no HTTP; refused ones included. MeshConfig `accessLogFile` names the \
    file, `accessLogEncoding` is TEXT or JSON. The default formats are Istio's.\n\n\
    A format is made of Envoy's operators: `%NAME%`, `%NAME(argument)%`, and where the table says so `%NAME(argument):Z%`, which writes at \
    most Z bytes. `%%` is a percent sign. A format that Envoy refuses is refused, and the default one is written in its place. Header names \
    in arguments are written in any case.\n\n\
    A missing value is `-` in text and `null` in JSON. A string of a JSON format that is one operator alone has the operator's type. In text, \
    quotes, backslashes and control characters in values are escaped, so that nobody can forge a line or a field; in JSON, bytes that are not \
    UTF-8 become U+FFFD.\n\n";

pub(crate) fn page() -> String {
    let mut text = INTRODUCTION.to_owned();
    text += &format!("## Default formats\n\nTEXT:\n\n```\n{DEFAULT_TEXT}\n```\n\nJSON:\n\n");
    text += &header(["key", "operator"]);
    for (key, operator) in DEFAULT_KEYS {
        text += &row([&format!("`{key}`"), &format!("`{operator}`")]);
    }
    text += "\nWith `--access-log-reasons` lines of the default formats end with `reasons`, which is `%EGRET_REASONS%`.\n";
    text += "\n## Operators without an argument\n";
    for section in FACTS {
        text += &format!("\n### {}\n\n", section.title);
        text += &header(["operator", "type in JSON", "value"]);
        for one in section.rows {
            text += &row([&format!("`{}`", one.name), kind(one.kind), one.about]);
        }
    }
    text += "\n## Operators with an argument\n";
    for section in COMMANDS
        .iter()
        .filter(|section| section.rows[0].kind != ValueKind::Never)
    {
        text += &format!("\n### {}\n\n", section.title);
        text += &header(["operator", "argument", "`:Z`", "type in JSON", "value"]);
        for one in section.rows {
            let argument = match one.operator.required {
                true => one.operator.argument.to_owned(),
                false => format!("optional: {}", one.operator.argument),
            };
            let limit = if one.operator.limit { "yes" } else { "" };
            text += &row([
                &format!("`{}`", one.name),
                &argument,
                limit,
                kind(one.kind),
                one.about,
            ]);
        }
    }
    let more = COMMANDS.iter().flat_map(|section| section.rows);
    let more = more
        .filter(|one| one.kind == ValueKind::Never)
        .map(|one| one.name);
    let names: Vec<_> = more
        .chain(UNKNOWN.iter().copied())
        .map(|name| format!("`{name}`"))
        .collect();
    text += &format!(
        "\n## Operators without a value\n\nEnvoy has these, too. They are accepted, and their value is always missing: {}.\n",
        names.join(", ")
    );
    text
}

fn kind(kind: ValueKind) -> &'static str {
    match kind {
        ValueKind::Text => "string",
        ValueKind::Number => "number",
        ValueKind::Any => "any",
        ValueKind::Never => "none",
    }
}
