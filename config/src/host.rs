//! Host names and host patterns, and which pattern is more specific.

use std::cmp::Ordering;
use std::fmt;
use std::sync::Arc;

/// The DNS domain of Kubernetes services.
pub const CLUSTER_DOMAIN: &str = "cluster.local";

/// A host as Istio's objects write it: a name, `*.suffix`, or `*`. Lower-cased; compared as text.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum HostPattern {
    /// One name.
    Exact(Arc<str>),
    /// Any name that ends in this text and is longer than it: `*.example.com` holds `.example.com`.
    Suffix(Arc<str>),
    /// `*`.
    Any,
}

impl HostPattern {
    /// Reads a pattern; a `*` counts only in front. Never fails: the model validates hosts.
    pub fn parse(text: &str) -> Self {
        let text = text.to_ascii_lowercase();
        match text.strip_prefix('*') {
            None => Self::Exact(text.into()),
            Some("") => Self::Any,
            Some(suffix) => Self::Suffix(suffix.into()),
        }
    }

    /// Whether `host` (lower case, without port) is one of the pattern's names.
    pub fn matches(&self, host: &str) -> bool {
        match self {
            Self::Exact(name) => **name == *host,
            Self::Suffix(suffix) => host.len() > suffix.len() && host.ends_with(&**suffix),
            Self::Any => true,
        }
    }

    /// Whether every name of `other` is one of this pattern's names (the inverse of Istio's `SubsetOf`).
    pub fn covers(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Any, _) => true,
            (_, Self::Any) => false,
            (Self::Exact(a), Self::Exact(b)) => a == b,
            (Self::Exact(_), Self::Suffix(_)) => false,
            (Self::Suffix(_), Self::Exact(name)) => self.matches(name),
            (Self::Suffix(a), Self::Suffix(b)) => b.ends_with(&**a),
        }
    }

    /// Whether some name may belong to both (Istio's two-way `Matches`).
    pub fn overlaps(&self, other: &Self) -> bool {
        self.covers(other) || other.covers(self)
    }

    /// The same names with a port, as an authority writes them.
    pub fn with_port(&self, port: u16) -> Self {
        match self {
            Self::Exact(name) if name.contains(':') => {
                Self::Exact(format!("[{name}]:{port}").into())
            }
            Self::Exact(name) => Self::Exact(format!("{name}:{port}").into()),
            Self::Suffix(suffix) => Self::Suffix(format!("{suffix}:{port}").into()),
            Self::Any => Self::Suffix(format!(":{port}").into()),
        }
    }

    /// The exact name, if the pattern is one.
    pub fn exact(&self) -> Option<&Arc<str>> {
        match self {
            Self::Exact(name) => Some(name),
            Self::Suffix(_) | Self::Any => None,
        }
    }

    /// Compares: the more specific pattern is first: exact names, then longer suffixes, then `*`; ties by text.
    pub fn by_specificity(&self, other: &Self) -> Ordering {
        let rank = |pattern: &Self| match pattern {
            Self::Exact(_) => (0, 0),
            Self::Suffix(suffix) => (1, usize::MAX - suffix.len()),
            Self::Any => (2, 0),
        };
        rank(self)
            .cmp(&rank(other))
            .then_with(|| self.text().cmp(other.text()))
    }

    fn text(&self) -> &str {
        match self {
            Self::Exact(text) | Self::Suffix(text) => text,
            Self::Any => "",
        }
    }
}

impl fmt::Display for HostPattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Exact(name) => f.write_str(name),
            Self::Suffix(suffix) => write!(f, "*{suffix}"),
            Self::Any => f.write_str("*"),
        }
    }
}

/// Completes a short name as VirtualService hosts, destinations and DestinationRule hosts are completed: a name without
/// a dot that is neither a wildcard nor an address becomes `word.namespace.svc.cluster.local`; anything else is literal.
pub fn complete(host: &str, namespace: &str) -> Arc<str> {
    let host = host.to_ascii_lowercase();
    if host.is_empty()
        || host.contains('.')
        || host.starts_with('*')
        || host.parse::<std::net::IpAddr>().is_ok()
    {
        return host.into();
    }
    format!("{host}.{namespace}.svc.{CLUSTER_DOMAIN}").into()
}

/// Splits `host:port` or `[v6]:port` as a Host header or authority has it; the port is optional, and may be empty (RFC 3986,
/// 3.2.3). What is no port there is none, but does not belong to the host either, as with Envoy. The host comes back as
/// written, without the brackets of an address.
pub fn split_authority(authority: &str) -> (&str, Option<u16>) {
    if let Some(rest) = authority.strip_prefix('[') {
        if let Some((host, after)) = rest.split_once(']')
            && host.contains(':')
        {
            return (
                host,
                after.strip_prefix(':').and_then(|port| port.parse().ok()),
            );
        }
        return (authority, None);
    }
    match authority.rsplit_once(':') {
        Some((host, port)) if !host.contains(':') => (host, port.parse().ok()),
        _ => (authority, None),
    }
}

/// The shorter names of a Kubernetes host, as a pod of `namespace` may write them.
pub(crate) fn short_forms(host: &str, namespace: &str) -> impl Iterator<Item = String> {
    let tail = format!(".svc.{CLUSTER_DOMAIN}");
    let parts = host
        .strip_suffix(&*tail)
        .and_then(|rest| rest.split_once('.').map(|parts| (rest, parts)));
    let forms = match parts {
        Some((rest, (name, of))) => {
            let mut forms = vec![rest.to_owned(), format!("{rest}.svc")];
            if of == namespace {
                forms.push(name.to_owned());
            }
            forms
        }
        None => Vec::new(),
    };
    forms.into_iter()
}

/// Whether [`short_forms`] gives any for a host, in some namespace.
pub(crate) fn has_short_forms(host: &HostPattern) -> bool {
    let name = host
        .exact()
        .and_then(|name| name.strip_suffix(CLUSTER_DOMAIN));
    name.is_some_and(|rest| rest.ends_with(".svc."))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patterns_match_and_order() {
        let p = HostPattern::parse;
        assert!(p("*.W.test").matches("x.w.test"));
        assert!(p("*.w.test").matches("y.x.w.test"));
        assert!(!p("*.w.test").matches("w.test"));
        assert!(!p("*.w.test").matches(".w.test"));
        assert!(p("*").covers(&p("*.a")));
        assert!(p("*.a").covers(&p("*.b.a")) && !p("*.b.a").covers(&p("*.a")));
        assert!(p("*.b.a").overlaps(&p("*.a")));
        let mut all = [p("*"), p("*.com"), p("a.com"), p("*.a.com")];
        all.sort_by(HostPattern::by_specificity);
        assert_eq!(
            all.iter().map(ToString::to_string).collect::<Vec<_>>(),
            ["a.com", "*.a.com", "*.com", "*"]
        );
    }

    #[test]
    fn short_names_are_completed() {
        assert_eq!(
            &*complete("reviews", "prod"),
            "reviews.prod.svc.cluster.local"
        );
        for literal in ["reviews.prod", "*", "*.com", "10.0.0.1", "::1", "A.com"] {
            assert_eq!(&*complete(literal, "prod"), literal.to_ascii_lowercase());
        }
    }

    #[test]
    fn authorities_are_split() {
        assert_eq!(split_authority("a.com:80"), ("a.com", Some(80)));
        assert_eq!(split_authority("a.com"), ("a.com", None));
        assert_eq!(split_authority("[::1]:80"), ("::1", Some(80)));
        assert_eq!(split_authority("[::1]"), ("::1", None));
        assert_eq!(split_authority("::1"), ("::1", None));
        assert_eq!(split_authority("a.com:"), ("a.com", None));
        assert_eq!(split_authority("a.com:99999"), ("a.com", None));
        assert_eq!(split_authority("a.com:x"), ("a.com", None));
        for none in ["[a.com]", "[a.com]:80", "[::1"] {
            assert_eq!(split_authority(none), (none, None));
        }
    }
}
