//! Flags and environment variables of both programs.

use clap::{Arg, Command};
use egret_init::args::{FLAGS, Kind};

use crate::{header, row};

const COLUMNS: [&str; 5] = ["flag", "value", "default", "environment", "meaning"];

/// Variables of `egret-init` that have no flag.
const VARIABLES: &[(&str, &str)] = &[
    ("ENVOY_USER", "The user whose uid `--proxy-uid` defaults to"),
    (
        "ISTIO_OUTBOUND_OWNER_GROUPS",
        "Groups whose outbound connections are captured; `*` is all",
    ),
    (
        "ISTIO_OUTBOUND_OWNER_GROUPS_EXCLUDE",
        "Groups whose outbound connections are not captured",
    ),
    (
        "ISTIO_OUTBOUND_IPV4_LOOPBACK_CIDR",
        "The range that counts as IPv4 loopback",
    ),
    (
        "DRY_RUN_FILE_PATH",
        "A file that a dry run also writes its text to",
    ),
];

pub(crate) fn page() -> String {
    let mut text = "# Flags and environment variables\n\n\
        A flag on the command line wins over its environment variable, and the variable over the default.\n"
        .to_owned();
    let proxy = egret_proxy::args::command();
    for command in proxy.get_subcommands() {
        text += &section(command);
    }
    text += "\n## egret-init\n\n\
        The flags of istio-iptables, and egret's own. The commands `verify`, `explain` and `cleanup` take the same flags; \
        `egret-init explain --help` lists those that describe a connection.\n\n";
    text += &header(COLUMNS);
    for flag in FLAGS.iter().filter(|flag| !flag.help.is_empty()) {
        let short = flag.short.map(|short| format!(", `-{short}`"));
        text += &row([
            &format!("`--{}`{}", flag.long, short.unwrap_or_default()),
            &kind(flag.kind),
            &code(flag.kind.default_text()),
            &list(flag.environment),
            flag.help,
        ]);
    }
    let accepted: Vec<&str> = FLAGS
        .iter()
        .filter(|flag| flag.help.is_empty())
        .map(|flag| flag.long)
        .collect();
    if !accepted.is_empty() {
        text += &format!(
            "\nAccepted and without effect: {}.\n",
            list(
                &accepted
                    .iter()
                    .map(|long| format!("--{long}"))
                    .collect::<Vec<_>>()
            )
        );
    }
    text += "\nVariables without a flag:\n\n";
    text += &header(["variable", "meaning"]);
    for (name, about) in VARIABLES {
        text += &row([&code(name), about]);
    }
    text
}

fn section(command: &Command) -> String {
    let arguments: Vec<&Arg> = command
        .get_arguments()
        .filter(|argument| argument.get_long().is_some() && argument.get_long() != Some("help"))
        .collect();
    let about = command
        .get_about()
        .map(ToString::to_string)
        .unwrap_or_default();
    let mut text = format!("\n## egret-proxy {}\n\n{about}\n", command.get_name());
    if arguments.is_empty() {
        return text;
    }
    text += "\n";
    text += &header(COLUMNS);
    for argument in arguments {
        let help = argument
            .get_help()
            .map(ToString::to_string)
            .unwrap_or_default();
        let (help, environment) = take(&help, "[env: ");
        let (help, told) = take(&help, "[default: ");
        let default = argument
            .get_default_values()
            .iter()
            .map(|value| value.to_string_lossy().into_owned())
            .collect::<Vec<_>>()
            .join(",");
        let flag = format!("`--{}`", argument.get_long().unwrap_or_default());
        let default = told.unwrap_or(if takes_value(argument) {
            code(&default)
        } else {
            String::new()
        });
        text += &row([
            &flag,
            &value(argument),
            &default,
            &environment.map(|name| code(&name)).unwrap_or_default(),
            &help,
        ]);
    }
    text
}

fn takes_value(argument: &Arg) -> bool {
    argument.get_action().takes_values()
}

/// The words that a flag takes, or the name of its value.
fn value(argument: &Arg) -> String {
    if !takes_value(argument) {
        return String::new();
    }
    let words: Vec<String> = argument
        .get_possible_values()
        .iter()
        .map(|value| value.get_name().to_owned())
        .collect();
    if words.is_empty() {
        let names = argument.get_value_names().unwrap_or_default();
        names
            .iter()
            .map(ToString::to_string)
            .collect::<Vec<_>>()
            .join(" ")
    } else {
        list(&words)
    }
}

fn kind(kind: Kind) -> String {
    match kind {
        Kind::Text(_) => "text".to_owned(),
        Kind::Port(_) => "port".to_owned(),
        Kind::Duration(_) => "duration".to_owned(),
        Kind::Word(words) => list(words),
        Kind::Switch => "true or false".to_owned(),
    }
}

/// A help text without a part in brackets, and what stood in the part.
fn take(help: &str, opening: &str) -> (String, Option<String>) {
    match help
        .split_once(opening)
        .and_then(|(before, rest)| Some((before, rest.split_once(']')?)))
    {
        Some((before, (inside, after))) => {
            let rest = format!("{}{}", before.trim_end(), after);
            (rest, Some(inside.to_owned()))
        }
        None => (help.to_owned(), None),
    }
}

fn list(words: &[impl AsRef<str>]) -> String {
    words
        .iter()
        .map(|word| code(word.as_ref()))
        .collect::<Vec<_>>()
        .join(", ")
}

fn code(text: &str) -> String {
    if text.is_empty() {
        String::new()
    } else {
        format!("`{text}`")
    }
}
