//! The drain time, with the settings of Istio's agent.

use std::time::Duration;

use egret_config::value;
use serde_json::Value;

use crate::args::variables::boolean;
use crate::life::end::DrainTime;

/// The pod's own ProxyConfig, as JSON or YAML; the injector sets it.
const PROXY_CONFIG: &str = "PROXY_CONFIG";

/// The drain time in seconds, where no ProxyConfig sets it.
const DRAIN_SECONDS: &str = "TERMINATION_DRAIN_DURATION_SECONDS";

/// Whether the process drains until no connection is left.
const UNTIL_IDLE: &str = "EXIT_ON_ZERO_ACTIVE_CONNECTIONS";

/// The minimum drain time in that case; a Go duration.
const MINIMUM: &str = "MINIMUM_DRAIN_DURATION";

/// The agent's default for it.
const MINIMUM_DEFAULT: Duration = Duration::from_secs(5);

/// Reads the drain time; `typed` is that of the command line.
///
/// # Errors
/// A variable that cannot be read.
pub(super) fn drain_time(
    typed: Option<Duration>,
    set: impl Fn(&str) -> Option<String>,
) -> Result<DrainTime, String> {
    let own = match (typed, set(PROXY_CONFIG)) {
        (None, Some(text)) => own(&text)?,
        (typed, _) => typed,
    };
    let fallback = match set(DRAIN_SECONDS) {
        Some(text) => Some(seconds(&text)?),
        None => None,
    };
    let until_idle = match set(UNTIL_IDLE) {
        Some(text) if boolean(UNTIL_IDLE, &text)? => Some(minimum(set(MINIMUM))?),
        _ => None,
    };
    Ok(DrainTime {
        own,
        fallback,
        until_idle,
    })
}

/// `terminationDrainDuration` of a ProxyConfig.
fn own(text: &str) -> Result<Option<Duration>, String> {
    let config: Value = serde_json::from_str(text)
        .map_err(|error| format!("{PROXY_CONFIG}: expected a JSON object: {error}\n"))?;
    match &config["terminationDrainDuration"] {
        Value::Null => Ok(None),
        value => match value.as_str().and_then(value::duration) {
            Some(duration) => Ok(Some(duration)),
            None => Err(format!(
                "{PROXY_CONFIG}: terminationDrainDuration {value} is not a duration such as \"5s\"\n"
            )),
        },
    }
}

fn seconds(text: &str) -> Result<Duration, String> {
    let number = text.trim().parse().map(Duration::from_secs);
    number.map_err(|_| format!("{DRAIN_SECONDS}: {text:?} is not a whole number of seconds\n"))
}

fn minimum(text: Option<String>) -> Result<Duration, String> {
    match text {
        None => Ok(MINIMUM_DEFAULT),
        Some(text) => value::duration(text.trim())
            .ok_or_else(|| format!("{MINIMUM}: {text:?} is not a duration such as 5s\n")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(typed: Option<u64>, variables: &[(&str, &str)]) -> Result<DrainTime, String> {
        drain_time(typed.map(Duration::from_secs), |name| {
            let variable = variables.iter().find(|(key, _)| *key == name);
            variable.map(|(_, value)| (*value).to_owned())
        })
    }

    #[test]
    fn the_agents_variables_are_read() {
        let seconds = |number| Some(Duration::from_secs(number));
        let config = (PROXY_CONFIG, "{\"terminationDrainDuration\":\"20s\"}");
        assert_eq!(read(None, &[]), Ok(DrainTime::default()));
        let own = |own| DrainTime {
            own,
            ..DrainTime::default()
        };
        assert_eq!(read(None, &[config]), Ok(own(seconds(20))));
        assert_eq!(read(Some(1), &[config]), Ok(own(seconds(1))));
        let fallback = DrainTime {
            fallback: seconds(7),
            ..DrainTime::default()
        };
        assert_eq!(read(None, &[(DRAIN_SECONDS, "7")]), Ok(fallback));
        for (minimum, expected) in [(None, 5), (Some("90s"), 90), (Some("1m30s"), 90)] {
            let mut variables = vec![(UNTIL_IDLE, "true")];
            variables.extend(minimum.map(|minimum| (MINIMUM, minimum)));
            let until_idle = seconds(expected);
            let expected = DrainTime {
                until_idle,
                ..DrainTime::default()
            };
            assert_eq!(read(None, &variables), Ok(expected));
        }
        assert_eq!(
            read(None, &[(UNTIL_IDLE, "false")]),
            Ok(DrainTime::default())
        );
    }

    #[test]
    fn a_variable_that_cannot_be_read_is_named() {
        for (name, value) in [
            (PROXY_CONFIG, "{"),
            (PROXY_CONFIG, "{\"terminationDrainDuration\":5}"),
            (DRAIN_SECONDS, "5s"),
            (UNTIL_IDLE, "maybe"),
        ] {
            let error = read(None, &[(name, value)]).expect_err("an error");
            assert!(error.contains(name), "{error}");
        }
        let error = read(None, &[(UNTIL_IDLE, "1"), (MINIMUM, "soon")]).expect_err("an error");
        assert!(error.contains(MINIMUM), "{error}");
    }
}
