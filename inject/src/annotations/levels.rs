//! Log levels, in the words of Envoy and of Istio's agent.

/// Levels from the coarsest, each with the names that stand for it.
const LEVELS: &[(&str, &[&str])] = &[
    ("off", &["off", "none"]),
    ("error", &["error", "critical", "fatal"]),
    ("warn", &["warn", "warning"]),
    ("info", &["info"]),
    ("debug", &["debug"]),
    ("trace", &["trace"]),
];

/// The finest level of two settings: a level, or `scope:level` with commas between them. The result is one of egret-proxy's levels.
///
/// # Errors
/// What is expected.
pub fn finest_level(one: &str, other: &str) -> Result<&'static str, String> {
    let mut finest = 0;
    for item in one.split(',').chain(other.split(',')) {
        let name = item
            .rsplit_once(':')
            .map_or(item, |(_, level)| level)
            .trim();
        let rank = LEVELS.iter().position(|(_, names)| names.contains(&name));
        let expected = "expected trace, debug, info, warning, error, critical or off";
        finest = finest.max(rank.ok_or_else(|| format!("`{name}` is no level: {expected}"))?);
    }
    Ok(LEVELS.get(finest).map_or("info", |(level, _)| level))
}
