//! `outboundTrafficPolicy.mode`, of MeshConfig and of Sidecars.

/// What happens to calls that nothing is registered for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OutboundPolicy {
    /// They pass through to their original destination.
    AllowAny,
    /// They are refused.
    RegistryOnly,
    /// `ALLOW_ANY_DYNAMIC_DNS`: they go to what their Host resolves to.
    AllowAnyDynamicDns,
}

impl OutboundPolicy {
    /// As Istio writes it.
    pub fn name(self) -> &'static str {
        match self {
            Self::AllowAny => "ALLOW_ANY",
            Self::RegistryOnly => "REGISTRY_ONLY",
            Self::AllowAnyDynamicDns => "ALLOW_ANY_DYNAMIC_DNS",
        }
    }
}
