//! Formats of access logs, as MeshConfig gives them. One that cannot be used is a
//! warning, and Istio's default is written.

use std::sync::Arc;

use serde_json::{Map, Value};

use crate::log_format::{FormatError, JsonFormat, TextFormat};
use crate::model::mesh::providers::FormatSource;
use crate::model::mesh::settings::AccessLogEncoding;
use crate::problem::{Diagnostics, NO_VALUE};
use crate::wire::providers::LogFormat;

/// What to write instead of an operator that is none.
const OPERATORS: &str = "use the operators of docs/access-log.md";

/// `accessLogFormat` in its `accessLogEncoding`. The encoding JSON requires the text of a JSON object.
pub(super) fn of_mesh(
    encoding: AccessLogEncoding,
    format: &str,
    diagnostics: &mut Diagnostics<'_>,
) -> FormatSource {
    let part = "accessLogFormat";
    match encoding {
        AccessLogEncoding::Text if format.is_empty() => FormatSource::DefaultText,
        AccessLogEncoding::Text => text(diagnostics, part, format),
        AccessLogEncoding::Json if format.is_empty() => FormatSource::DefaultJson,
        AccessLogEncoding::Json => match serde_json::from_str(format) {
            Ok(Value::Object(object)) => json(diagnostics, part, object),
            _ => {
                let message = (
                    "not a JSON object, as accessLogEncoding JSON wants it: Istio's keys are logged",
                    "write an object, or accessLogEncoding: TEXT",
                );
                diagnostics.warn(part, format, message);
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
    let part = "logFormat.labels";
    if wire.labels.is_some() && !wire.text.is_empty() {
        let message = (
            "text and labels: labels are ignored",
            "leave one of them out",
        );
        diagnostics.warn(part, NO_VALUE, message);
    }
    if !wire.text.is_empty() {
        return Some(text(diagnostics, "logFormat.text", &wire.text));
    }
    Some(match &wire.labels.as_ref()?.0 {
        Value::Object(object) if object.is_empty() => FormatSource::DefaultJson,
        Value::Object(object) => json(diagnostics, part, object.clone()),
        Value::Null => FormatSource::DefaultJson,
        other => {
            let message = (
                "not a mapping of keys to formats: Istio's keys are logged",
                "write `labels: {path: '%REQ(:PATH)%'}`",
            );
            diagnostics.warn(part, other, message);
            FormatSource::DefaultJson
        }
    })
}

fn text(diagnostics: &mut Diagnostics<'_>, part: &str, format: &str) -> FormatSource {
    match TextFormat::line(format) {
        Ok(_) => FormatSource::Text(format.into()),
        Err(error) => {
            let FormatError { excerpt, reason } = error;
            let message = (
                format!("not a format, Istio's default text is logged: {reason}"),
                OPERATORS,
            );
            diagnostics.warn(part, excerpt, message);
            FormatSource::DefaultText
        }
    }
}

fn json(diagnostics: &mut Diagnostics<'_>, part: &str, object: Map<String, Value>) -> FormatSource {
    match JsonFormat::parse(&object) {
        Ok(_) => FormatSource::Json(Arc::new(object)),
        Err(error) => {
            let FormatError { excerpt, reason } = error;
            let message = (
                format!("not a format, Istio's keys are logged: {reason}"),
                OPERATORS,
            );
            diagnostics.warn(part, excerpt, message);
            FormatSource::DefaultJson
        }
    }
}
