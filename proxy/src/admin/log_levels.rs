//! `/logging`: the levels of loggers, shown and changed as Envoy's page of this name does.

use http::StatusCode;

use crate::admin::asked::Asked;
use crate::admin::page::Page;
use crate::admin::query::Query;
use crate::admin::state::Admin;
use crate::logging::{Level, LogLevels, UnknownName};

/// The levels that are in force after what the query asks for.
pub(super) fn page(admin: &Admin, asked: Asked<'_>) -> Page {
    if let Err(unknown) = change(&admin.log_levels, asked.query) {
        return Page::bad_request(unknown);
    }
    let mut text = "active loggers:\n".to_owned();
    for (name, level) in admin.log_levels.list() {
        text.push_str(&format!("  {name}: {}\n", level.name()));
    }
    Page::text(StatusCode::OK, text)
}

/// Changes levels: of all loggers with `level`, of those named, or of those in the list `paths`. All of it, or nothing
/// where a name is unknown.
fn change(levels: &LogLevels, query: Query<'_>) -> Result<(), UnknownName> {
    let mut all = None;
    let parameters: Vec<_> = query.parameters().collect();
    let mut changes = Vec::new();
    for (name, value) in &parameters {
        match &**name {
            "level" => all = Some(Level::parse(value)?),
            "paths" => {
                for item in value.split(',').filter(|item| !item.is_empty()) {
                    let unknown = || UnknownName::Level(item.to_owned());
                    let (name, level) = item.rsplit_once(':').ok_or_else(unknown)?;
                    changes.push((name, Level::parse(level)?));
                }
            }
            name => changes.push((name, Level::parse(value)?)),
        }
    }
    levels.check(&changes)?;
    if let Some(level) = all {
        levels.set_all(level);
    }
    match changes.is_empty() {
        true => Ok(()),
        false => levels.set(&changes),
    }
}
