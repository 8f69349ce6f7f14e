//! Formats of access logs, as MeshConfig gives them. What the operators in them mean is known to the proxy alone.

use std::sync::Arc;

use serde_json::Value;

use crate::model::mesh::providers::FormatSource;
use crate::model::mesh::settings::AccessLogEncoding;
use crate::problem::{Diagnostics, NO_VALUE};
use crate::wire::providers::LogFormat;

/// `accessLogFormat` in its `accessLogEncoding`. Text that is no JSON object where one is wanted is a warning, and Istio's
/// keys are written.
pub(super) fn of_mesh(
    encoding: AccessLogEncoding,
    format: &str,
    diagnostics: &mut Diagnostics<'_>,
) -> FormatSource {
    match encoding {
        AccessLogEncoding::Text if format.is_empty() => FormatSource::DefaultText,
        AccessLogEncoding::Text => FormatSource::Text(format.into()),
        AccessLogEncoding::Json if format.is_empty() => FormatSource::DefaultJson,
        AccessLogEncoding::Json => match serde_json::from_str(format) {
            Ok(Value::Object(object)) => FormatSource::Json(Arc::new(object)),
            _ => {
                let what = (
                    "not a JSON object, as accessLogEncoding JSON wants it: Istio's keys are logged",
                    "write an object, or accessLogEncoding: TEXT",
                );
                diagnostics.warn("accessLogFormat", format, what);
                FormatSource::DefaultJson
            }
        },
    }
}

/// `logFormat` of a provider; `None` where nothing is written.
pub(super) fn of_provider(
    wire: Option<&LogFormat>,
    diagnostics: &mut Diagnostics<'_>,
) -> Option<FormatSource> {
    let wire = wire?;
    if wire.labels.is_some() && !wire.text.is_empty() {
        let what = (
            "text and labels: labels are ignored",
            "leave one of them out",
        );
        diagnostics.warn("logFormat.labels", NO_VALUE, what);
    }
    if !wire.text.is_empty() {
        return Some(FormatSource::Text(wire.text.as_str().into()));
    }
    match &wire.labels.as_ref()?.0 {
        Value::Object(object) if object.is_empty() => Some(FormatSource::DefaultJson),
        Value::Object(object) => Some(FormatSource::Json(Arc::new(object.clone()))),
        Value::Null => Some(FormatSource::DefaultJson),
        other => {
            let what = (
                "not a mapping of keys to formats: Istio's keys are logged",
                "write `labels: {path: '%REQ(:PATH)%'}`",
            );
            diagnostics.warn("logFormat.labels", other, what);
            Some(FormatSource::DefaultJson)
        }
    }
}
