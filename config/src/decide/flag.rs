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
    /// The proxy lacks a resource for the call, such as a file descriptor (Envoy's overload manager).
    OM,
}

impl Flag {
    /// Each flag with its letters, Envoy's long name (`RESPONSE_FLAGS_LONG`) and its number in Envoy's bit set.
    const TABLE: &[(Self, &str, &str, u8)] = &[
        (Self::UH, "UH", "NoHealthyUpstream", 1),
        (Self::UF, "UF", "UpstreamConnectionFailure", 5),
        (Self::UO, "UO", "UpstreamOverflow", 7),
        (Self::NR, "NR", "NoRouteFound", 8),
        (Self::NC, "NC", "NoClusterFound", 24),
        (Self::URX, "URX", "UpstreamRetryLimitExceeded", 15),
        (Self::DC, "DC", "DownstreamConnectionTermination", 14),
        (Self::DR, "DR", "DownstreamRemoteReset", 28),
        (Self::DPE, "DPE", "DownstreamProtocolError", 18),
        (Self::LR, "LR", "LocalReset", 3),
        (Self::UR, "UR", "UpstreamRemoteReset", 4),
        (Self::UC, "UC", "UpstreamConnectionTermination", 6),
        (Self::UPE, "UPE", "UpstreamProtocolError", 23),
        (Self::UT, "UT", "UpstreamRequestTimeout", 2),
        (Self::DT, "DT", "DurationTimeout", 22),
        (Self::DI, "DI", "DelayInjected", 9),
        (Self::FI, "FI", "FaultInjected", 10),
        (Self::OM, "OM", "OverloadManagerTerminated", 25),
    ];

    /// The letters of the log.
    pub const fn letters(self) -> &'static str {
        Self::TABLE[self as usize].1
    }

    /// Envoy's long name.
    pub const fn long_name(self) -> &'static str {
        Self::TABLE[self as usize].2
    }

    /// The flag in Envoy's bit set, which expressions use.
    pub const fn bit(self) -> u64 {
        1 << Self::TABLE[self as usize].3
    }
}

/// Flags of one call, in the order in which they were set; more than four are not kept.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Flags {
    raised: [Option<Flag>; 4],
}

impl Flags {
    /// Sets a flag; one that is set already keeps its position.
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

    /// Whether this one is set.
    pub fn contains(&self, flag: Flag) -> bool {
        self.raised.contains(&Some(flag))
    }

    /// The flags in order.
    pub fn iter(&self) -> impl Iterator<Item = Flag> + '_ {
        self.raised.iter().flatten().copied()
    }

    /// Whether none is set.
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
            f.write_str(flag.letters())?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_is_in_the_order_of_the_flags() {
        for (number, (flag, letters, ..)) in Flag::TABLE.iter().enumerate() {
            assert_eq!((*flag as usize, *letters), (number, &*format!("{flag:?}")));
        }
        assert_eq!(Flag::UF.bit() | Flag::URX.bit(), 32800, "as Envoy has them");
        assert_eq!(Flag::OM.long_name(), "OverloadManagerTerminated");
    }

    #[test]
    fn flags_keep_their_order_and_come_once() {
        assert_eq!(Flags::default().to_string(), "-");
        let flags = Flags::of([Flag::URX, Flag::UF, Flag::URX]);
        assert_eq!(flags.to_string(), "URX,UF");
        assert!(flags.contains(Flag::UF) && !flags.contains(Flag::UH));
    }
}
