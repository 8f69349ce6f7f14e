//! `--log-level`: one level, or a list of levels for parts. Levels and `component:level` are written as for Envoy's and
//! Istio's flags of this kind (`--log-level`, `--component-log-level`; pilot-agent's `--proxyLogLevel`,
//! `--proxyComponentLogLevel`), `module=level` as for `RUST_LOG`.

use tracing_subscriber::filter::Targets;

use crate::logging::{LEVEL_NAMES, LOGGERS, modules};

/// Envoy's components that log nothing here; a level for them changes nothing. `misc:error` is in Istio's template.
const ABSENT: [&str; 23] = [
    "aws",
    "assert",
    "backtrace",
    "client",
    "compression",
    "credential",
    "decompression",
    "dubbo",
    "ext_authz",
    "file",
    "filter",
    "forward_proxy",
    "grpc",
    "health_checker",
    "hc",
    "init",
    "io",
    "jwt",
    "lua",
    "misc",
    "rbac",
    "runtime",
    "wasm",
];

/// The largest edit distance (Damerau-Levenshtein) between a misspelt name and its suggestion.
const DISTANCE_MAX: usize = 2;

/// The filter of a list. Parts without a level are logged from `info` on.
///
/// # Errors
/// Names that are neither levels nor components nor modules, with a suggestion.
pub(super) fn filter(list: &str) -> Result<Targets, String> {
    let wrong = |problem: String| format!("--log-level (or RUST_LOG) {list:?}: {problem}\n");
    let items: Vec<&str> = list
        .split(',')
        .map(str::trim)
        .filter(|item| !item.is_empty())
        .collect();
    let mut directives = Vec::new();
    let mut has_default = false;
    for item in items {
        let (part, name) = parts(item);
        let level = level(name).ok_or_else(|| wrong(no_level(part, name)))?;
        match part {
            Part::All => {
                has_default = true;
                directives.push(level.to_owned());
            }
            Part::Module(module) => directives.push(format!("{module}={level}")),
            Part::Component(component) => {
                let absent = || ABSENT.contains(&component).then_some(&[][..]);
                let modules = modules(component).or_else(absent);
                let modules = modules.ok_or_else(|| wrong(no_component(component)))?;
                directives.extend(modules.iter().map(|module| format!("{module}={level}")));
            }
        }
    }
    if !has_default {
        directives.insert(0, "info".to_owned());
    }
    let directives = directives.join(",");
    directives
        .parse::<Targets>()
        .map_err(|error| wrong(error.to_string()))
}

/// What a level is for.
#[derive(Clone, Copy)]
enum Part<'a> {
    All,
    Module(&'a str),
    Component(&'a str),
}

/// An item's part and level. A module's name may hold `::`.
fn parts(item: &str) -> (Part<'_>, &str) {
    if let Some((module, level)) = item.rsplit_once('=') {
        return (Part::Module(module), level);
    }
    match item.split_once(':') {
        Some((component, level)) if !level.starts_with(':') => (Part::Component(component), level),
        _ => (Part::All, item),
    }
}

fn level(name: &str) -> Option<&'static str> {
    let known = LEVEL_NAMES
        .iter()
        .find(|(own, _)| name.eq_ignore_ascii_case(own));
    known.map(|(_, level)| *level)
}

fn no_level(part: Part<'_>, name: &str) -> String {
    if matches!(part, Part::All) && name.contains("::") {
        return format!("`{name}` has no level; write `{name}=debug`");
    }
    let names = LEVEL_NAMES.map(|(name, _)| name);
    let hint = match nearest(name, &names) {
        Some(meant) => format!("did you mean `{meant}`?"),
        None => "levels are off, error, warn, info, debug and trace".to_owned(),
    };
    format!("`{name}` is no log level; {hint}")
}

fn no_component(component: &str) -> String {
    let names = LOGGERS.map(|logger| logger.name);
    let hint = match nearest(component, &names) {
        Some(meant) => format!("did you mean `{meant}`?"),
        None => format!("components are {}; or write module=level", names.join(", ")),
    };
    format!("`{component}` is no component; {hint}")
}

/// The name that is nearest to `typed`, if one is near.
fn nearest<'n>(typed: &str, names: &[&'n str]) -> Option<&'n str> {
    let typed = typed.to_ascii_lowercase();
    let distances = names
        .iter()
        .map(|name| (strsim::damerau_levenshtein(&typed, name), *name));
    let near =
        distances.filter(|(distance, name)| *distance <= DISTANCE_MAX && distance * 2 < name.len());
    near.min().map(|(_, name)| name)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn filter_text(list: &str) -> String {
        filter(list).map_or_else(|message| message, |filter| filter.to_string())
    }

    /// The directives in the order that the filter prints, which is its own.
    fn directives(list: &str) -> Vec<String> {
        let mut directives: Vec<String> = filter_text(list).split(',').map(str::to_owned).collect();
        directives.sort();
        directives
    }

    #[test]
    fn levels_of_envoy_and_istio_are_levels() {
        for (name, level) in [
            ("warn", "warn"),
            ("warning", "warn"),
            ("WARNING", "warn"),
            ("critical", "error"),
            ("Info", "info"),
            ("off", "off"),
            ("none", "off"),
            ("", "info"),
        ] {
            assert_eq!(filter_text(name), level, "{name}");
        }
    }

    #[test]
    fn lists_name_modules_or_components() {
        for (list, expected) in [
            ("warn,egret_proxy=debug", &["egret_proxy=debug", "warn"][..]),
            (
                "egret_proxy::http=debug",
                &["egret_proxy::http=debug", "info"],
            ),
            ("misc:error", &["info"]),
            (
                "warning,dns:trace, misc:error",
                &["egret_proxy::dns=trace", "warn"],
            ),
        ] {
            assert_eq!(directives(list), expected, "{list}");
        }
    }

    #[test]
    fn misspelt_names_are_refused_with_a_suggestion() {
        for (list, hint) in [
            ("wran", "did you mean `warn`?"),
            ("debgu", "did you mean `debug`?"),
            ("warnin", "did you mean `warning`?"),
            ("loud", "levels are off, error, warn, info, debug and trace"),
            ("info,egret_proxy=tracee", "did you mean `trace`?"),
            ("dsn:debug", "did you mean `dns`?"),
            ("sidecar:debug", "components are accept, admin"),
            ("egret_proxy::dns", "write `egret_proxy::dns=debug`"),
        ] {
            let message = filter(list).expect_err(list);
            assert!(message.contains(hint), "{list}: {message}");
        }
    }
}
