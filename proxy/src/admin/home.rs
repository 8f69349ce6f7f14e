//! `/`: the page for browsers.

use http::StatusCode;
use uuid::Uuid;

use crate::admin::page::Page;

/// The page. Its script and its style have the nonce of each answer, which stands where this is.
static HTML: &str = include_str!("home.html");
const NONCE: &str = "{nonce}";

/// The page. No other page of this port can be loaded into it, and it loads nothing from elsewhere.
pub(super) fn page() -> Page {
    let nonce = Uuid::new_v4().simple().to_string();
    let policy = format!(
        "default-src 'none'; script-src 'nonce-{nonce}'; style-src 'nonce-{nonce}'; img-src data:; connect-src 'self'; \
         base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
    );
    Page {
        content_type: Page::HTML,
        security_policy: Some(policy.into()),
        ..Page::text(StatusCode::OK, HTML.replace(NONCE, &nonce))
    }
}
