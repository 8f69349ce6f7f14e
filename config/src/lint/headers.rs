//! Header values that Envoy fills in and egret sends as they are.

use crate::lint::view::View;
use crate::lint::warning::warning;
use crate::model::route::{HeaderChanges, HttpAction};
use crate::problem::Problem;

pub(super) fn check(view: &View<'_>, warnings: &mut Vec<Problem>) {
    for vs in &view.objects.virtual_services {
        for (at, rule) in vs.http.iter().enumerate() {
            let mut all = vec![(format!("spec.http[{at}].headers"), &rule.headers)];
            if let HttpAction::Route(list) = &rule.action {
                let each = list.iter().enumerate().map(|(index, one)| {
                    (
                        format!("spec.http[{at}].route[{index}].headers"),
                        &one.headers,
                    )
                });
                all.extend(each);
            }
            for (field, changes) in all {
                for (field, value) in filled_in(&field, changes) {
                    warnings.push(warning(
                        &vs.meta,
                        field,
                        value,
                        "Envoy replaces such an operator by a value of the call; egret sends the text as it is",
                        "leave the header out, or write a fixed value",
                    ));
                }
            }
        }
    }
}

fn filled_in<'c>(field: &str, changes: &'c HeaderChanges) -> Vec<(String, &'c str)> {
    let mut list = Vec::new();
    for (side, operations) in [
        ("request", &changes.request),
        ("response", &changes.response),
    ] {
        for (verb, pairs) in [("set", &operations.set), ("add", &operations.add)] {
            for (name, value) in pairs {
                if has_operator(value) {
                    list.push((format!("{field}.{side}.{verb}.{name}"), &**value));
                }
            }
        }
    }
    list
}

/// Whether a value contains `%WORD%` or `%WORD(…)%`; `%%` stands for a percent sign.
fn has_operator(value: &str) -> bool {
    value.split('%').skip(1).step_by(2).any(|operator| {
        let name = operator.split('(').next().unwrap_or_default();
        !name.is_empty()
            && name
                .bytes()
                .all(|byte| byte.is_ascii_uppercase() || byte.is_ascii_digit() || byte == b'_')
    })
}
