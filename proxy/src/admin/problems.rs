//! `/problems`: what is wrong with the configuration, and the edit that is not in force because of it.

use http::StatusCode;
use serde_json::{Value, json};

use crate::admin::page::{Form, Page};
use crate::admin::state::Admin;
use crate::source::problem_json;

/// The problems of the configuration in force, and the reasons why a later edit is not.
pub(super) fn page(admin: &Admin, form: Form) -> Page {
    let state = admin.status.state();
    let problems = state
        .loaded
        .as_ref()
        .map_or(&[][..], |loaded| &loaded.problems);
    match form {
        Form::Text => {
            let mut text = String::new();
            for reason in state.rejected.iter().flat_map(|edit| &edit.reasons) {
                text.push_str(&format!("rejected: {reason}\n"));
            }
            for problem in problems {
                text.push_str(&format!("{}: {problem}\n", problem.severity));
            }
            if text.is_empty() {
                text.push_str("none\n");
            }
            Page::text(StatusCode::OK, text)
        }
        Form::Json => {
            let problems: Vec<Value> = problems.iter().map(problem_json::json).collect();
            let rejected = state
                .rejected
                .as_ref()
                .map(|edit| json!({ "since": edit.since.to_string(), "reasons": edit.reasons }));
            Page::json(&json!({ "problems": problems, "rejected": rejected }))
        }
    }
}
