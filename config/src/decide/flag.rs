//! Envoy's response flags (`RESPONSE_FLAGS`): what went wrong with a call, in the access log's letters.

use std::fmt;

/// A response flag. Named as the log shows it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Flag {
    /// No healthy upstream; and refused byte streams.
    UH,
    /// The upstream cannot be reached.
    UF,
    /// A limit of the cluster is reached.
    UO,
    /// No route.
    NR,
    /// No cluster.
    NC,
    /// All retries used up.
    URX,
    /// The client went away.
    DC,
    /// The client reset its stream.
    DR,
    /// The client broke the protocol.
    DPE,
    /// We reset the connection.
    LR,
    /// The upstream reset the connection.
    UR,
    /// The upstream ended the connection.
    UC,
    /// The upstream broke the protocol.
    UPE,
    /// The upstream's time was up.
    UT,
    /// A connection's greatest age was reached.
    DT,
    /// A delay was injected.
    DI,
    /// A failure was injected.
    FI,
    /// The proxy has no room for the call, such as no descriptor (Envoy's overload manager).
    OM,
}

/// Flags of one call, in the order they were raised; more than four are not kept.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Flags {
    raised: [Option<Flag>; 4],
}

impl Flags {
    /// Raises a flag; one that is raised already stays where it is.
    pub fn raise(&mut self, flag: Flag) {
        for slot in &mut self.raised {
            match slot {
                Some(raised) if *raised == flag => return,
                Some(_) => {}
                None => {
                    *slot = Some(flag);
                    return;
                }
            }
        }
    }

    /// These flags, in this order.
    pub fn of(flags: impl IntoIterator<Item = Flag>) -> Self {
        let mut raised = Self::default();
        for flag in flags {
            raised.raise(flag);
        }
        raised
    }

    /// Whether this one is raised.
    pub fn contains(&self, flag: Flag) -> bool {
        self.raised.contains(&Some(flag))
    }

    /// The flags in order.
    pub fn iter(&self) -> impl Iterator<Item = Flag> + '_ {
        self.raised.iter().flatten().copied()
    }

    /// Whether none is raised.
    pub fn is_empty(&self) -> bool {
        self.raised[0].is_none()
    }
}

impl fmt::Display for Flags {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.is_empty() {
            return f.write_str("-");
        }
        for (index, flag) in self.iter().enumerate() {
            if index > 0 {
                f.write_str(",")?;
            }
            write!(f, "{flag:?}")?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn flags_keep_their_order_and_come_once() {
        assert_eq!(Flags::default().to_string(), "-");
        let flags = Flags::of([Flag::URX, Flag::UF, Flag::URX]);
        assert_eq!(flags.to_string(), "URX,UF");
        assert!(flags.contains(Flag::UF) && !flags.contains(Flag::UH));
    }
}
