//! The query of a page's address: parameters, percent-decoded.

use std::borrow::Cow;

use percent_encoding::percent_decode_str;

/// A query, `name=value&flag`. A `+` stays one: regular expressions have it.
#[derive(Clone, Copy, Debug, Default)]
pub struct Query<'q>(&'q str);

impl<'q> Query<'q> {
    /// The query of an address, if it has one.
    pub fn new(query: Option<&'q str>) -> Self {
        Self(query.unwrap_or_default())
    }

    /// As it was sent.
    pub fn text(self) -> &'q str {
        self.0
    }

    /// All parameters in order. One without a value has an empty one.
    pub fn parameters(self) -> impl Iterator<Item = (Cow<'q, str>, Cow<'q, str>)> {
        let parts = self.0.split('&').filter(|part| !part.is_empty());
        parts.map(|part| {
            let (name, value) = part.split_once('=').unwrap_or((part, ""));
            (decoded(name), decoded(value))
        })
    }

    /// The first value of a parameter.
    pub fn value(self, name: &str) -> Option<Cow<'q, str>> {
        let mut parameters = self.parameters();
        parameters
            .find(|(known, _)| known == name)
            .map(|(_, value)| value)
    }

    /// Whether a parameter is given without a value.
    pub fn has_flag(self, name: &str) -> bool {
        let mut parameters = self.parameters();
        parameters.any(|(known, value)| known == name && value.is_empty())
    }
}

fn decoded(text: &str) -> Cow<'_, str> {
    percent_decode_str(text).decode_utf8_lossy()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parameters_are_decoded_and_a_plus_stays_one() {
        let query = Query::new(Some("filter=%5Ea+b%3D&&graceful&q=&x%79=1&filter=2"));
        assert_eq!(query.value("filter").as_deref(), Some("^a+b="));
        assert_eq!(query.value("xy").as_deref(), Some("1"));
        assert_eq!(query.value("q").as_deref(), Some(""));
        assert_eq!(query.value("absent"), None);
        assert!(query.has_flag("graceful") && query.has_flag("q"));
        assert!(!query.has_flag("filter") && !query.has_flag("absent"));
        assert_eq!(Query::new(None).parameters().count(), 0);
    }
}
