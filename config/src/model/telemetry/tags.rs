//! `customTags` of spans.

use std::collections::BTreeMap;
use std::sync::Arc;

use http::HeaderName;

use crate::log_format::TextFormat;
use crate::model::read;
use crate::model::telemetry::types::CustomTag;
use crate::problem::{Diagnostics, NO_VALUE};
use crate::wire::telemetry as wire;

/// Reads `customTags`. One that cannot be used is left out, with a warning.
pub(crate) fn custom_tags(
    tags: &BTreeMap<String, wire::CustomTag>,
    diagnostics: &mut Diagnostics<'_>,
) -> BTreeMap<Arc<str>, CustomTag> {
    diagnostics.within("customTags", |diagnostics| {
        let read = tags.iter().filter_map(|(name, wire)| {
            let tag = diagnostics.within(name, |diagnostics| custom_tag(wire, diagnostics))?;
            Some((Arc::from(name.as_str()), tag))
        });
        read.collect()
    })
}

fn custom_tag(wire: &wire::CustomTag, diagnostics: &mut Diagnostics<'_>) -> Option<CustomTag> {
    if let Some(literal) = &wire.literal {
        return Some(CustomTag::Literal(literal.value.as_str().into()));
    }
    if let Some(formatter) = &wire.formatter {
        return match TextFormat::parse(&formatter.value) {
            Ok(_) => Some(CustomTag::Formatter(formatter.value.as_str().into())),
            Err(error) => {
                let message = (
                    format!("not a format, the tag is left out: {}", error.reason),
                    "use the operators of docs/access-log.md",
                );
                diagnostics.warn("formatter.value", error.excerpt, message);
                None
            }
        };
    }
    if let Some(wire) = &wire.environment {
        if wire.name.is_empty() {
            let message = ("the tag is left out", "write the name of a variable");
            diagnostics.warn("environment.name", NO_VALUE, message);
            return None;
        }
        return Some(CustomTag::Environment {
            name: wire.name.as_str().into(),
            default: read::optional(&wire.default_value),
        });
    }
    let Some(wire) = &wire.header else {
        let message = (
            "a tag without a value is left out",
            "write literal, environment, header or formatter",
        );
        diagnostics.warn("", NO_VALUE, message);
        return None;
    };
    match HeaderName::from_bytes(wire.name.as_bytes()) {
        Ok(name) => Some(CustomTag::Header {
            name,
            default: read::optional(&wire.default_value),
        }),
        Err(_) => {
            let message = (
                "not the name of a header, the tag is left out",
                "write a name such as x-team",
            );
            diagnostics.warn("header.name", &wire.name, message);
            None
        }
    }
}
