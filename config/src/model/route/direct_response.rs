//! `directResponse` of an HTTP rule.

use std::sync::Arc;

use crate::problem::{Diagnostics, NO_VALUE};
use crate::value::base64;
use crate::wire::virtual_service as wire;

/// `directResponse`.
#[derive(Clone, Debug)]
pub struct DirectResponse {
    /// 200 to 600.
    pub status: u16,
    /// The body.
    pub body: Arc<[u8]>,
}

/// Bytes of a direct response's body: more is refused, and from the second on warned of.
const BODY_MAX: usize = 1 << 20;

const BODY_LARGE: usize = 100 << 10;

/// Reads `directResponse`.
pub(super) fn parse(
    wire: &wire::HttpDirectResponse,
    diagnostics: &mut Diagnostics<'_>,
) -> Option<DirectResponse> {
    let status = u16::try_from(wire.status)
        .ok()
        .filter(|status| (200..=600).contains(status));
    if status.is_none() {
        diagnostics.error("status", wire.status, "expected a status from 200 to 600");
    }
    let body: Arc<[u8]> = match &wire.body {
        None => Arc::default(),
        Some(body) => match (&body.string, &body.bytes) {
            (Some(_), Some(_)) => {
                diagnostics.error("body", NO_VALUE, "only one of string and bytes");
                return None;
            }
            (Some(text), None) => text.as_bytes().into(),
            (None, Some(encoded)) => match base64::decode(encoded) {
                Some(bytes) => bytes.into(),
                None => {
                    diagnostics.error("body.bytes", encoded, "expected base64");
                    return None;
                }
            },
            (None, None) => Arc::default(),
        },
    };
    if body.len() > BODY_MAX {
        diagnostics.error("body", body.len(), format!("larger than {BODY_MAX} bytes"));
    } else if body.len() > BODY_LARGE {
        diagnostics.warn(
            "body",
            body.len(),
            "a large body, held in memory by every proxy",
        );
    }
    Some(DirectResponse {
        status: status?,
        body,
    })
}
