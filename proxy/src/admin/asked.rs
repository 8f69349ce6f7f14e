//! What is asked of a page.

use http::HeaderMap;
use http::header::ACCEPT;

use crate::admin::page::Form;
use crate::admin::query::Query;

/// What is asked of a page.
#[derive(Clone, Copy, Debug)]
pub(super) struct Asked<'r> {
    /// The query.
    pub(super) query: Query<'r>,
    /// The form of the page.
    pub(super) form: Form,
    /// Whether the client accepts plain text, and no HTML.
    pub(super) wants_text: bool,
}

impl<'r> Asked<'r> {
    /// What a request asks of its page.
    pub(super) fn of(query: Option<&'r str>, headers: &HeaderMap) -> Self {
        Self {
            query: Query::new(query),
            form: Form::asked(query),
            wants_text: wants_text(headers),
        }
    }
}

/// Whether a client accepts plain text, and no HTML.
fn wants_text(headers: &HeaderMap) -> bool {
    let accepts = |wanted: &str| {
        let values = headers.get_all(ACCEPT).iter();
        values
            .filter_map(|value| value.to_str().ok())
            .flat_map(|value| value.split(','))
            .map(|kind| kind.split(';').next().unwrap_or_default().trim())
            .any(|kind| kind.eq_ignore_ascii_case(wanted))
    };
    accepts("text/plain") && !accepts("text/html")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_who_accepts_plain_text_and_no_html_wants_text() {
        for (accept, expected) in [
            (None, false),
            (Some("*/*"), false),
            (Some("text/plain"), true),
            (Some("Text/Plain; q=0.5, */*"), true),
            (Some("text/html,text/plain"), false),
            (Some("application/json"), false),
        ] {
            let mut headers = HeaderMap::new();
            if let Some(accept) = accept {
                headers.insert(ACCEPT, accept.parse().expect("value"));
            }
            assert_eq!(wants_text(&headers), expected, "{accept:?}");
        }
    }
}
