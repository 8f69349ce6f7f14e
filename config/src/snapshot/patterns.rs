//! [`PatternMap`]: values by host pattern, found by name in a hash lookup a label.

use std::cmp::Reverse;
use std::sync::Arc;

use crate::fast_map::FastMap;
use crate::host::HostPattern;

/// Values by host pattern. A name finds its exact pattern, else the longest suffix, else `*`.
#[derive(Clone, Debug)]
pub(crate) struct PatternMap<V> {
    exact: FastMap<Arc<str>, V>,
    /// Suffixes that begin with a dot.
    suffixes: FastMap<Arc<str>, V>,
    /// Suffixes that do not begin at a label (`*foo.com`), longest first.
    partial_labels: Vec<(Arc<str>, V)>,
    any: Option<V>,
}

impl<V> Default for PatternMap<V> {
    fn default() -> Self {
        Self {
            exact: FastMap::default(),
            suffixes: FastMap::default(),
            partial_labels: Vec::new(),
            any: None,
        }
    }
}

impl<V> PatternMap<V> {
    /// The value of exactly this pattern.
    pub(crate) fn get(&self, pattern: &HostPattern) -> Option<&V> {
        match pattern {
            HostPattern::Exact(name) => self.exact.get(name),
            HostPattern::Suffix(name) if name.starts_with('.') => self.suffixes.get(name),
            HostPattern::Suffix(name) => self
                .partial_labels
                .iter()
                .find(|(other, _)| other == name)
                .map(|(_, value)| value),
            HostPattern::Any => self.any.as_ref(),
        }
    }

    /// The value of exactly this pattern, made when there is none.
    pub(crate) fn entry(&mut self, pattern: &HostPattern, make: impl FnOnce() -> V) -> &mut V {
        match pattern {
            HostPattern::Exact(name) => self.exact.entry(name.clone()).or_insert_with(make),
            HostPattern::Suffix(name) if name.starts_with('.') => {
                self.suffixes.entry(name.clone()).or_insert_with(make)
            }
            HostPattern::Suffix(name) => {
                let key = |other: &(Arc<str>, V)| (Reverse(other.0.len()), other.0.clone());
                let at = self
                    .partial_labels
                    .binary_search_by_key(&(Reverse(name.len()), name.clone()), key)
                    .unwrap_or_else(|at| {
                        self.partial_labels.insert(at, (name.clone(), make()));
                        at
                    });
                &mut self.partial_labels[at].1
            }
            HostPattern::Any => self.any.get_or_insert_with(make),
        }
    }

    /// Gives a pattern a value unless it has one; returns whether it did.
    pub(crate) fn claim(&mut self, pattern: &HostPattern, value: V) -> bool {
        let mut value = Some(value);
        let mut claimed = false;
        self.entry(pattern, || {
            claimed = true;
            value.take().expect("the value is made once")
        });
        claimed
    }

    /// The value of the most specific pattern that has `name` (lower case), `*` included.
    pub(crate) fn find(&self, name: &str) -> Option<&V> {
        self.find_named(name).or(self.any.as_ref())
    }

    /// The value of the most specific pattern that has `name`, `*` left out.
    pub(crate) fn find_named(&self, name: &str) -> Option<&V> {
        if let Some(value) = self.exact.get(name) {
            return Some(value);
        }
        let by_label = suffixes(name)
            .find_map(|suffix| self.suffixes.get(suffix).map(|value| (suffix.len(), value)));
        let partial_labels = self
            .partial_labels
            .iter()
            .find(|(suffix, _)| name.len() > suffix.len() && name.ends_with(&**suffix))
            .map(|(suffix, value)| (suffix.len(), value));
        match (by_label, partial_labels) {
            (Some((label, _)), Some((partial, value))) if partial > label => Some(value),
            (Some((_, value)), _) | (None, Some((_, value))) => Some(value),
            (None, None) => None,
        }
    }

    /// The values of all patterns that cover `pattern`, the most specific first.
    pub(crate) fn covering(&self, pattern: &HostPattern) -> Vec<&V> {
        let mut covering: Vec<(usize, &V)> = Vec::new();
        let text = match pattern {
            HostPattern::Exact(name) => {
                if let Some(value) = self.exact.get(name) {
                    covering.push((usize::MAX, value));
                }
                Some(name)
            }
            HostPattern::Suffix(suffix) => {
                if let Some(value) = self.suffixes.get(suffix) {
                    covering.push((suffix.len(), value));
                }
                Some(suffix)
            }
            HostPattern::Any => None,
        };
        if let Some(text) = text {
            covering.extend(
                suffixes(text).filter_map(|suffix| {
                    self.suffixes.get(suffix).map(|value| (suffix.len(), value))
                }),
            );
            let covers = |suffix: &str| match pattern {
                HostPattern::Suffix(_) => text.ends_with(suffix),
                HostPattern::Exact(_) | HostPattern::Any => {
                    text.len() > suffix.len() && text.ends_with(suffix)
                }
            };
            covering.extend(
                self.partial_labels
                    .iter()
                    .filter(|(suffix, _)| covers(suffix))
                    .map(|(suffix, value)| (suffix.len(), value)),
            );
            covering.sort_by_key(|(length, _)| Reverse(*length));
        }
        covering
            .into_iter()
            .map(|(_, value)| value)
            .chain(&self.any)
            .collect()
    }

    /// The value of `*`.
    pub(crate) fn any(&self) -> Option<&V> {
        self.any.as_ref()
    }

    /// Whether there is a pattern other than `*`.
    pub(crate) fn has_names(&self) -> bool {
        !self.exact.is_empty() || !self.suffixes.is_empty() || !self.partial_labels.is_empty()
    }
}

/// The proper suffixes of a name that begin with a dot, longest first: `.b.c` and `.c` for `a.b.c`.
fn suffixes(name: &str) -> impl Iterator<Item = &str> {
    name.match_indices('.')
        .filter(|(at, _)| *at > 0)
        .map(|(at, _)| &name[at..])
}

#[cfg(test)]
mod tests;
