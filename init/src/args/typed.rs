//! What a command line gives the flags, and the reader of lines that consist of nothing but flags, as an injector's do.

use std::ffi::OsString;

use crate::args::flags::{FLAGS, Flag, Kind, go_bool};

/// The values typed for flags. Nothing is known of those that were not typed.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(super) struct TypedFlags(Vec<(&'static str, String)>);

impl TypedFlags {
    /// Reads a command line, program name first, of flags of the table and their values.
    ///
    /// Whatever else a line may hold, be it right or wrong, gives `None` and is for clap to read and to explain.
    pub(super) fn read(arguments: &[OsString]) -> Option<Self> {
        let mut typed = Self::default();
        let mut arguments = arguments.iter().skip(1).map(|argument| argument.to_str());
        while let Some(argument) = arguments.next() {
            let (flag, attached) = flag(argument?)?;
            let value = match (flag.kind, attached) {
                (Kind::Switch, Attached::Nothing) => "true",
                (Kind::Switch, Attached::Behind(_)) => return None,
                (Kind::Switch, Attached::Equals(value)) => {
                    go_bool(value).is_ok().then_some(value)?
                }
                (_, Attached::Nothing) => arguments.next()?.filter(|value| *value != "--")?,
                (_, Attached::Behind(value) | Attached::Equals(value)) => value,
            };
            typed.add(flag, value.to_owned());
        }
        Some(typed)
    }

    /// Notes a value.
    pub(super) fn add(&mut self, flag: &Flag, value: String) {
        self.0.push((flag.long, value));
    }

    /// What was typed last for a flag.
    pub(super) fn value(&self, long: &str) -> Option<&str> {
        let mut values = self.0.iter().rev();
        let (_, value) = values.find(|(own, _)| *own == long)?;
        Some(value)
    }
}

/// The part of an argument behind the name of a flag.
enum Attached<'a> {
    Nothing,
    Behind(&'a str),
    Equals(&'a str),
}

/// The flag that an argument names. What ends in an equals sign is left to clap.
fn flag(argument: &str) -> Option<(&'static Flag, Attached<'_>)> {
    if let Some(long) = argument.strip_prefix("--") {
        let (name, attached) = match long.split_once('=') {
            Some((_, "")) => return None,
            Some((name, value)) => (name, Attached::Equals(value)),
            None => (long, Attached::Nothing),
        };
        return Some((FLAGS.iter().find(|flag| flag.long == name)?, attached));
    }
    let mut rest = argument.strip_prefix('-')?.chars();
    let short = rest.next()?;
    let flag = FLAGS.iter().find(|flag| flag.short == Some(short))?;
    let attached = match (rest.as_str(), rest.as_str().strip_prefix('=')) {
        ("", _) => Attached::Nothing,
        (_, Some("")) => return None,
        (_, Some(value)) => Attached::Equals(value),
        (value, None) => Attached::Behind(value),
    };
    Some((flag, attached))
}
