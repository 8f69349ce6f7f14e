//! The application's metrics: from the pod's `prometheus.io` annotations, as Istio's injector passes them.

use std::sync::Arc;

use egret_config::port::well_known;
use serde_json::Value;

use crate::admin::application::ApplicationMetrics;

/// The injector's variable.
pub(in crate::args) const VARIABLE: &str = "ISTIO_PROMETHEUS_ANNOTATIONS";

/// The default port.
const PORT_DEFAULT: u16 = 80;

/// The default path.
const PATH_DEFAULT: &str = "/metrics";

/// Reads the variable: the targets, and the problems. Targets with a problem are left out. `own` are ports of the proxy.
pub(in crate::args) fn targets(
    text: Option<String>,
    own: &[u16],
) -> (Arc<[ApplicationMetrics]>, Vec<String>) {
    let Some(text) = text else {
        return (Arc::default(), Vec::new());
    };
    let settings: Value = match serde_json::from_str(&text) {
        Ok(settings @ Value::Object(_)) => settings,
        _ => {
            let wrong = format!("{VARIABLE}: expected a JSON object, got {text:?}");
            return (Arc::default(), vec![wrong]);
        }
    };
    if text_of(&settings["scrape"]).as_deref() == Some("false") {
        return (Arc::default(), Vec::new());
    }
    let (mut targets, mut wrong) = (Vec::new(), Vec::new());
    let all = match settings["targets"].as_array() {
        Some(all) if !all.is_empty() => all.as_slice(),
        _ => std::slice::from_ref(&settings),
    };
    for one in all {
        match target(one, own) {
            Ok(target) => targets.push(target),
            Err(error) => wrong.push(format!("{VARIABLE}: {error}")),
        }
    }
    (targets.into(), wrong)
}

fn target(settings: &Value, own: &[u16]) -> Result<ApplicationMetrics, String> {
    let port = match text_of(&settings["port"]) {
        None => PORT_DEFAULT,
        Some(text) => match text.parse() {
            Ok(port) if port > 0 => port,
            _ => return Err(format!("port {text:?} is not a port number")),
        },
    };
    if (well_known::ADMIN..=well_known::STATS).contains(&port) || own.contains(&port) {
        return Err(format!(
            "port {port} is one of the proxy's own; the application's metrics must have another"
        ));
    }
    let path = text_of(&settings["path"]).unwrap_or_else(|| PATH_DEFAULT.to_owned());
    let path = match path.starts_with('/') {
        true => path,
        false => format!("/{path}"),
    };
    match path.parse() {
        Ok(path) => Ok(ApplicationMetrics::new(port, path)),
        Err(_) => Err(format!("path {path:?} is not the path of a URL")),
    }
}

/// A string, number or boolean as text; `None` where it is empty.
fn text_of(value: &Value) -> Option<String> {
    let text = match value {
        Value::String(text) => text.trim().to_owned(),
        Value::Number(number) => number.to_string(),
        Value::Bool(boolean) => boolean.to_string(),
        _ => return None,
    };
    Some(text).filter(|text| !text.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_injectors_variable_is_read() {
        for (text, expected) in [
            (
                r#"{"scrape":"true","path":"/metrics","port":"8099"}"#,
                &["8099/metrics"][..],
            ),
            (
                r#"{"scrape":"","path":"stats?a=b","port":8099}"#,
                &["8099/stats?a=b"],
            ),
            ("{}", &["80/metrics"]),
            (r#"{"scrape":"false","port":"8099"}"#, &[]),
            (r#"{"scrape":false,"port":"8099"}"#, &[]),
            (
                r#"{"scrape":"true","targets":[{"port":"1","path":"/a"},{"port":"2"}]}"#,
                &["1/a", "2/metrics"],
            ),
        ] {
            let (targets, wrong) = targets(Some(text.to_owned()), &[16000]);
            let targets: Vec<_> = targets
                .iter()
                .map(|target| target.url().replace("http://localhost:", ""))
                .collect();
            assert_eq!(targets, expected, "{text}");
            assert_eq!(wrong, Vec::<String>::new(), "{text}");
        }
        assert_eq!(targets(None, &[]).0.len(), 0);
    }

    #[test]
    fn a_wrong_target_is_named_and_left_out() {
        for (text, count, message) in [
            ("yes", 0, "expected a JSON object, got \"yes\""),
            (
                r#"{"port":"http"}"#,
                0,
                "port \"http\" is not a port number",
            ),
            (
                r#"{"port":"15090"}"#,
                0,
                "port 15090 is one of the proxy's own",
            ),
            (
                r#"{"port":"16000"}"#,
                0,
                "port 16000 is one of the proxy's own",
            ),
            (
                r#"{"port":"15000"}"#,
                0,
                "port 15000 is one of the proxy's own",
            ),
            (
                r#"{"targets":[{"port":"0"},{"port":"9"}]}"#,
                1,
                "port \"0\"",
            ),
            (r#"{"path":"/a b"}"#, 0, "path \"/a b\""),
        ] {
            let (read, wrong) = targets(Some(text.to_owned()), &[16000]);
            assert_eq!(read.len(), count, "{text}");
            assert!(wrong.len() == 1 && wrong[0].contains(message), "{wrong:?}");
        }
    }
}
