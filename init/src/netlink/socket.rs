//! A netlink socket: messages go out in one piece, and every answer is read.

use std::collections::BTreeSet;
use std::fmt;
use std::os::fd::{AsRawFd, OwnedFd};

use nix::errno::Errno;
use nix::sys::socket::{
    AddressFamily, MsgFlags, NetlinkAddr, SockFlag, SockProtocol, SockType, bind, recv, sendto,
    setsockopt, socket, sockopt,
};

use crate::netlink::message::{HEADER_LENGTH, Message};

/// Which part of the kernel a socket talks to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Subsystem {
    /// Packet filtering.
    Netfilter,
    /// Addresses and routes.
    Route,
}

/// Why messages had no effect.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Refusal {
    /// There is no socket for this subsystem, or it cannot be used.
    Unusable(Errno),
    /// The kernel refused a message; with it, the whole transaction it was part of.
    Message {
        /// What the message was about.
        label: String,
        /// The kernel's reason.
        reason: Errno,
        /// The kernel modules it needs beside its protocol's own.
        modules: Vec<&'static str>,
    },
    /// The kernel did not answer for a message.
    Unanswered(String),
}

/// Sends messages at once and reads the answers to those that want one.
///
/// # Errors
/// The first message the kernel refused, or what kept it from being asked.
pub fn exchange(subsystem: Subsystem, messages: &[Message]) -> Result<(), Refusal> {
    let mut bytes = Vec::new();
    for (place, message) in (0..).zip(messages) {
        message.write(place, &mut bytes);
    }
    let socket = open(subsystem, bytes.len()).map_err(Refusal::Unusable)?;
    let kernel = NetlinkAddr::new(0, 0);
    sendto(socket.as_raw_fd(), &bytes, &kernel, MsgFlags::empty()).map_err(Refusal::Unusable)?;
    let mut answers = Answers::new(messages);
    let mut buffer = vec![0; BUFFER_LENGTH];
    // The kernel does its work inside the send, so all answers are there already.
    loop {
        match recv(socket.as_raw_fd(), &mut buffer, MsgFlags::MSG_DONTWAIT) {
            Ok(length) => answers.read(&buffer[..length]),
            Err(Errno::EAGAIN) => return answers.verdict(),
            Err(Errno::EINTR) => {}
            Err(errno) => return Err(Refusal::Unusable(errno)),
        }
    }
}

/// Asks for a list and gives the payload of each answer, behind the header, with its type.
///
/// # Errors
/// When the kernel does not list.
pub fn list(subsystem: Subsystem, question: &Message) -> Result<Vec<(u16, Vec<u8>)>, Refusal> {
    let mut bytes = Vec::new();
    question.write(0, &mut bytes);
    let socket = open(subsystem, bytes.len()).map_err(Refusal::Unusable)?;
    let kernel = NetlinkAddr::new(0, 0);
    sendto(socket.as_raw_fd(), &bytes, &kernel, MsgFlags::empty()).map_err(Refusal::Unusable)?;
    let mut found = Vec::new();
    let mut buffer = vec![0; BUFFER_LENGTH];
    loop {
        let length = match recv(socket.as_raw_fd(), &mut buffer, MsgFlags::MSG_DONTWAIT) {
            Ok(length) => length,
            Err(Errno::EINTR) => continue,
            Err(Errno::EAGAIN) => return Err(Refusal::Unanswered(question.label().to_owned())),
            Err(errno) => return Err(Refusal::Unusable(errno)),
        };
        let mut bytes = &buffer[..length];
        while let Some((length, kind, _)) = header(bytes) {
            let payload = bytes.get(HEADER_LENGTH..length).unwrap_or_default();
            match kind {
                DONE => return Ok(found),
                ERROR => {
                    let code = payload.get(0..4).and_then(|code| code.try_into().ok());
                    let code = code.map_or(0, i32::from_ne_bytes);
                    return Err(Refusal::Message {
                        label: question.label().to_owned(),
                        reason: Errno::from_raw(code.wrapping_neg()),
                        modules: question.modules().to_vec(),
                    });
                }
                _ => found.push((kind, payload.to_vec())),
            }
            bytes = bytes.get(length.next_multiple_of(4)..).unwrap_or_default();
        }
    }
}

/// Larger than the largest answer: an error repeats the message it is about.
const BUFFER_LENGTH: usize = 128 * 1024;

fn open(subsystem: Subsystem, length: usize) -> nix::Result<OwnedFd> {
    let protocol = match subsystem {
        Subsystem::Netfilter => SockProtocol::NetlinkNetFilter,
        Subsystem::Route => SockProtocol::NetlinkRoute,
    };
    let socket = socket(
        AddressFamily::Netlink,
        SockType::Raw,
        SockFlag::SOCK_CLOEXEC,
        protocol,
    )?;
    // Going beyond the system's limits needs NET_ADMIN. Without it the messages are refused anyway, so failing to
    // raise them says nothing new.
    let _ = setsockopt(&socket, sockopt::SndBufForce, &(2 * length + BUFFER_LENGTH));
    let _ = setsockopt(
        &socket,
        sockopt::RcvBufForce,
        &(2 * length + 16 * BUFFER_LENGTH),
    );
    bind(socket.as_raw_fd(), &NetlinkAddr::new(0, 0))?;
    Ok(socket)
}

/// What the kernel has said so far.
struct Answers<'a> {
    messages: &'a [Message],
    /// Places of the messages that have no answer yet.
    missing: BTreeSet<usize>,
    refusal: Option<Refusal>,
}

impl<'a> Answers<'a> {
    fn new(messages: &'a [Message]) -> Self {
        let wanting = messages
            .iter()
            .enumerate()
            .filter(|(_, message)| message.wants_ack());
        Self {
            messages,
            missing: wanting.map(|(place, _)| place).collect(),
            refusal: None,
        }
    }

    /// Reads one datagram, which may hold several answers.
    fn read(&mut self, mut bytes: &[u8]) {
        while let Some((length, kind, sequence)) = header(bytes) {
            let place = usize::try_from(sequence).unwrap_or(usize::MAX);
            let code = bytes
                .get(HEADER_LENGTH..HEADER_LENGTH + 4)
                .and_then(|code| code.try_into().ok());
            if let (ERROR, Some(code)) = (kind, code) {
                self.missing.remove(&place);
                // The kernel writes errors as negative numbers, and success as zero.
                let code = i32::from_ne_bytes(code).wrapping_neg();
                if code != 0 && self.refusal.is_none() {
                    let message = self.messages.get(place);
                    self.refusal = Some(Refusal::Message {
                        label: message.map_or("a message", Message::label).to_owned(),
                        reason: Errno::from_raw(code),
                        modules: message.map_or(&[][..], Message::modules).to_vec(),
                    });
                }
            }
            bytes = bytes.get(length.next_multiple_of(4)..).unwrap_or_default();
        }
    }

    fn verdict(self) -> Result<(), Refusal> {
        if let Some(refusal) = self.refusal {
            return Err(refusal);
        }
        match self.missing.first() {
            Some(place) => Err(Refusal::Unanswered(
                self.messages[*place].label().to_owned(),
            )),
            None => Ok(()),
        }
    }
}

/// `NLMSG_ERROR`, which also acknowledges.
const ERROR: u16 = 2;

/// `NLMSG_DONE`, which ends a list.
const DONE: u16 = 3;

/// Length, type and sequence number of the message at the front.
fn header(bytes: &[u8]) -> Option<(usize, u16, u32)> {
    let length = usize::try_from(u32::from_ne_bytes(bytes.get(0..4)?.try_into().ok()?)).ok()?;
    let kind = u16::from_ne_bytes(bytes.get(4..6)?.try_into().ok()?);
    let sequence = u32::from_ne_bytes(bytes.get(8..12)?.try_into().ok()?);
    (length >= HEADER_LENGTH).then_some((length, kind, sequence))
}

/// The kernel's words for a feature it does not have.
const LACKING: [Errno; 4] = [
    Errno::EOPNOTSUPP,
    Errno::ENOENT,
    Errno::EPROTONOSUPPORT,
    Errno::EAFNOSUPPORT,
];

impl Refusal {
    /// Whether the caller may not.
    pub fn is_denied(&self) -> bool {
        match self {
            Self::Message { reason, .. } | Self::Unusable(reason) => *reason == Errno::EPERM,
            Self::Unanswered(_) => false,
        }
    }

    /// Whether the kernel has no such feature, rather than an objection.
    pub fn is_lack(&self) -> bool {
        match self {
            Self::Message { reason, .. } | Self::Unusable(reason) => LACKING.contains(reason),
            Self::Unanswered(_) => false,
        }
    }
}

/// One line that also says what to do.
impl fmt::Display for Refusal {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Message {
                reason: Errno::EPERM,
                ..
            }
            | Self::Unusable(Errno::EPERM | Errno::EACCES) => out.write_str(
                "not permitted: run as root, or give the container the capability NET_ADMIN",
            ),
            Self::Unusable(reason @ (Errno::EPROTONOSUPPORT | Errno::EAFNOSUPPORT)) => {
                write!(
                    out,
                    "this kernel has no netfilter netlink ({reason}): load the module nfnetlink"
                )
            }
            Self::Message {
                label,
                reason,
                modules,
            } if LACKING.contains(reason) => {
                write!(
                    out,
                    "this kernel lacks what is needed for {label} ({reason}): load the module {}, or run Linux 5.4 or later",
                    if modules.is_empty() {
                        "nf_tables".to_owned()
                    } else {
                        modules.join(", ")
                    }
                )
            }
            Self::Message {
                label,
                reason: Errno::EACCES,
                ..
            } => {
                write!(
                    out,
                    "the kernel refused {label}: IPv6 is disabled there (net.ipv6.conf.*.disable_ipv6)"
                )
            }
            Self::Message { label, reason, .. } => {
                write!(out, "the kernel refused {label}: {reason}")
            }
            Self::Unusable(reason) => {
                write!(out, "cannot talk to the kernel over netlink: {reason}")
            }
            Self::Unanswered(label) => write!(out, "the kernel did not answer about {label}"),
        }
    }
}

impl std::error::Error for Refusal {}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::netlink::message::{Attributes, flag};

    fn messages() -> Vec<Message> {
        let message = |flags, label: &str| Message::new(1, flags, &[], &Attributes::new(), label);
        vec![
            message(0, "begin"),
            message(flag::ACK, "first"),
            message(flag::ACK, "second"),
        ]
    }

    fn answer(sequence: u32, code: i32) -> Vec<u8> {
        let mut bytes = 36u32.to_ne_bytes().to_vec();
        bytes.extend(ERROR.to_ne_bytes());
        bytes.extend([0; 2]);
        bytes.extend(sequence.to_ne_bytes());
        bytes.extend([0; 4]);
        bytes.extend(code.to_ne_bytes());
        bytes.extend([0; 16]);
        bytes
    }

    #[test]
    fn all_acknowledged() {
        let messages = messages();
        let mut answers = Answers::new(&messages);
        answers.read(&[answer(1, 0), answer(2, 0)].concat());
        assert_eq!(answers.verdict(), Ok(()));
    }

    #[test]
    fn the_refused_message_is_named() {
        let messages = messages();
        let mut answers = Answers::new(&messages);
        answers.read(&answer(1, 0));
        answers.read(&answer(2, -22));
        let expected = Refusal::Message {
            label: "second".to_owned(),
            reason: Errno::EINVAL,
            modules: Vec::new(),
        };
        assert_eq!(answers.verdict(), Err(expected));
    }

    #[test]
    fn silence_is_an_error() {
        let messages = messages();
        let mut answers = Answers::new(&messages);
        answers.read(&answer(1, 0));
        answers.read(&[1, 2, 3]);
        assert_eq!(
            answers.verdict(),
            Err(Refusal::Unanswered("second".to_owned()))
        );
    }

    #[test]
    fn a_missing_feature_names_the_module() {
        let refusal = |modules| Refusal::Message {
            label: "chain output".to_owned(),
            reason: Errno::ENOENT,
            modules,
        };
        assert!(refusal(Vec::new()).is_lack());
        assert_eq!(
            refusal(vec!["nft_chain_nat"]).to_string(),
            "this kernel lacks what is needed for chain output (ENOENT: No such file or directory): \
             load the module nft_chain_nat, or run Linux 5.4 or later"
        );
        assert!(Refusal::Unusable(Errno::EPROTONOSUPPORT).is_lack());
        assert!(!Refusal::Unusable(Errno::EPERM).is_lack());
    }

    #[test]
    fn a_missing_capability_says_what_to_do() {
        let messages = messages();
        let mut answers = Answers::new(&messages);
        // Refusing a whole transaction, the kernel answers only for its first message.
        answers.read(&answer(0, -1));
        assert_eq!(
            answers.verdict().unwrap_err().to_string(),
            "not permitted: run as root, or give the container the capability NET_ADMIN"
        );
    }
}
