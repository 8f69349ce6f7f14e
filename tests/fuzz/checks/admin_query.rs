//! Any text as the query of an admin page: what is read of it, encoded again, is read as the same.

use egret_proxy::admin::query::Query;
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};

pub(crate) fn check(bytes: &[u8]) {
    let Ok(text) = std::str::from_utf8(bytes) else {
        return;
    };
    let query = Query::new(Some(text));
    let parameters: Vec<_> = query.parameters().collect();
    assert!(parameters.len() <= text.split('&').count());
    let encode = |text: &str| utf8_percent_encode(text, NON_ALPHANUMERIC).to_string();
    let written: Vec<_> = parameters
        .iter()
        .map(|(name, value)| format!("{}={}", encode(name), encode(value)))
        .collect();
    let written = written.join("&");
    let again: Vec<_> = Query::new(Some(&written)).parameters().collect();
    assert_eq!(again, parameters, "{written}");
    for (name, _) in &parameters {
        let first = parameters.iter().find(|(other, _)| other == name);
        let value = query.value(name);
        assert_eq!(value.as_ref(), first.map(|(_, value)| value), "{name}");
        let is_flag = parameters
            .iter()
            .any(|(other, value)| other == name && value.is_empty());
        assert_eq!(query.has_flag(name), is_flag, "{name}");
    }
}
