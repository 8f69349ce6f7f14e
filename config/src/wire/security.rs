//! The kinds of `security.istio.io`, as far as egret reads them.

use super::destination_rule::MatchLabels;
use super::reading::Loose;

object! {
    /// `spec` of an AuthorizationPolicy: the workloads that it selects. Its rules are not evaluated.
    pub struct AuthorizationPolicy {
        pub selector: Option<MatchLabels>,
        pub target_ref: Option<PolicyTarget>,
        pub target_refs: Vec<PolicyTarget>,
        pub rules: Vec<Loose>,
        pub action: String,
        pub provider: Option<Loose>,
    }
}

object! {
    /// `PolicyTargetReference`.
    pub struct PolicyTarget {
        pub group: String,
        pub kind: String,
        pub name: String,
        pub namespace: String,
    }
}
