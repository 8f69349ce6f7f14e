//! `/explain`: how a call is decided by the configuration in force, and why.

use http::StatusCode;

use crate::admin::asked::Asked;
use crate::admin::page::{Form, Page};
use crate::admin::state::Admin;
use crate::commands::explain::{Output, live};

/// What becomes of the call that the query describes.
pub(super) fn page(admin: &Admin, asked: Asked<'_>) -> Page {
    let snapshot = admin.current.load();
    let (output, content_type) = match asked.form {
        Form::Text => (Output::Text, Page::TEXT),
        Form::Json => (Output::Json, Page::JSON),
    };
    let names = |name: &str| admin.names.facts(name);
    let loaded = admin.status.state().loaded;
    let services = loaded.as_ref().map_or(&[][..], |loaded| &loaded.services);
    match live::explain(&snapshot, &names, asked.query.text(), output, services) {
        Ok(body) => Page {
            content_type,
            ..Page::text(StatusCode::OK, body)
        },
        Err(wrong) => Page::bad_request(format_args!("{wrong}; /help has an example")),
    }
}
