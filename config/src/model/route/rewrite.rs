//! `rewrite` of an HTTP rule.

use std::sync::Arc;

use regex::bytes::Regex;

use crate::model::read;
use crate::model::route::headers;
use crate::problem::{Diagnostics, NO_VALUE};
use crate::re2;
use crate::wire::virtual_service as wire;

/// `rewrite`.
#[derive(Clone, Debug)]
pub struct Rewrite {
    /// `uri` or `uriRegexRewrite`.
    pub path: Option<PathRewrite>,
    /// `authority`.
    pub authority: Option<Arc<str>>,
}

/// How a path is rewritten.
#[derive(Clone, Debug)]
pub enum PathRewrite {
    /// `uri`: replaces the matched prefix, or the whole path when the match was exact or a regex.
    Uri(Arc<str>),
    /// Takes the matched prefix away, down to `/`; only Istio itself writes it.
    Strip,
    /// `uriRegexRewrite`.
    Regex {
        /// `match`.
        pattern: Regex,
        /// `rewrite`, with `\1` for groups.
        substitution: Arc<str>,
    },
}

/// Reads `rewrite`.
pub(super) fn parse(
    wire: &wire::HttpRewrite,
    diagnostics: &mut Diagnostics<'_>,
) -> Option<Rewrite> {
    headers::check_text(diagnostics, "uri", &wire.uri);
    headers::check_text(diagnostics, "authority", &wire.authority);
    let authority = read::optional(&wire.authority);
    let path = match (&*wire.uri, &wire.uri_regex_rewrite) {
        ("", None) => None,
        (uri, None) => Some(PathRewrite::Uri(uri.into())),
        (uri, Some(regex)) => {
            if !uri.is_empty() {
                diagnostics.error(
                    "uriRegexRewrite",
                    NO_VALUE,
                    "only one of uri and uriRegexRewrite",
                );
            }
            if regex.rewrite.is_empty() {
                diagnostics.error("uriRegexRewrite.rewrite", NO_VALUE, "required");
            }
            match re2::part(&regex.matches) {
                Ok(pattern) => Some(PathRewrite::Regex {
                    pattern,
                    substitution: regex.rewrite.as_str().into(),
                }),
                Err(reason) => {
                    diagnostics.error("uriRegexRewrite.match", &regex.matches, reason);
                    None
                }
            }
        }
    };
    if path.is_none() && authority.is_none() && diagnostics.passed() {
        diagnostics.error(
            "",
            NO_VALUE,
            "one of uri, uriRegexRewrite and authority is required",
        );
    }
    Some(Rewrite { path, authority })
}
