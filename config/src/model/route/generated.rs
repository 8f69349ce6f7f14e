//! VirtualServices that Istio makes of the objects of other APIs. An annotation marks them, and some of their
//! fields mean what they mean in those APIs.

use std::sync::Arc;

use crate::model::condition::Condition;
use crate::model::http_match::HttpMatch;
use crate::model::route::redirect::RedirectPath;
use crate::model::route::rewrite::PathRewrite;
use crate::model::route::rule::{HttpAction, HttpRoute};
use crate::value::StringMatch;
use crate::wire::envelope::Metadata;

/// The annotation, and its values: `gateway` for the Gateway API, `ingress` for Ingress.
const SEMANTICS: &str = "internal.istio.io/route-semantics";

/// The mark of a redirect that replaces only the matched prefix.
const PREFIX_MARK: &str = "%PREFIX()%";

/// Gives the rules of a VirtualService the meaning that its annotation selects.
pub(crate) fn interpret(rules: &mut [Arc<HttpRoute>], metadata: &Metadata) {
    let semantics = metadata.annotations.get(SEMANTICS).map(String::as_str);
    let gateway = semantics == Some("gateway");
    if gateway || semantics == Some("ingress") {
        for rule in rules {
            let rule = Arc::make_mut(rule);
            rule.matches.iter_mut().for_each(whole_segments);
            if gateway {
                of_gateway_api(rule);
            }
        }
    }
}

/// A prefix is one of whole segments: `/a` has `/a/b`, and not `/ab`.
fn whole_segments(http_match: &mut HttpMatch) {
    let mut conditions = http_match.conditions.to_vec();
    for condition in &mut conditions {
        let Condition::Path(text) = condition else {
            continue;
        };
        let (prefix, segments): (_, fn(Box<str>) -> StringMatch) = match text {
            StringMatch::Prefix(prefix) => (prefix, StringMatch::Segments),
            StringMatch::PrefixIgnoreCase(prefix) => (prefix, StringMatch::SegmentsIgnoreCase),
            _ => continue,
        };
        let path = prefix.strip_suffix('/').unwrap_or(prefix);
        // `/` has everything, and needs no other form.
        if !path.is_empty() {
            *text = segments(path.into());
        }
    }
    http_match.conditions = conditions.into();
}

/// A rewrite to `/` takes the prefix away, and a redirect may replace it.
fn of_gateway_api(rule: &mut HttpRoute) {
    if let Some(rewrite) = &mut rule.rewrite
        && matches!(&rewrite.path, Some(PathRewrite::Uri(uri)) if **uri == *"/")
    {
        rewrite.path = Some(PathRewrite::Strip);
    }
    if let HttpAction::Redirect(redirect) = &mut rule.action
        && let Some(RedirectPath::Whole(uri)) = &redirect.path
        && let Some(prefix) = uri.strip_prefix(PREFIX_MARK)
    {
        redirect.path = Some(RedirectPath::Prefix(prefix.into()));
    }
}
