//! A netlink socket: messages go out in one piece, and every answer is read.

use std::os::fd::{AsRawFd, OwnedFd};

use nix::errno::Errno;
use nix::sys::socket::{
    AddressFamily, MsgFlags, NetlinkAddr, SockFlag, SockProtocol, SockType, recv, sendto,
    setsockopt, socket, sockopt,
};

use crate::netlink::answers::{Answers, DONE, ERROR, HEADER, error_code, header};
use crate::netlink::message::Message;
use crate::netlink::refusal::Refusal;

/// Which part of the kernel a socket talks to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Subsystem {
    /// Packet filtering.
    Netfilter,
    /// Addresses and routes.
    Route,
}

impl Subsystem {
    /// Room for the longest answer; the kernel makes datagrams of a list no longer than there is room for. An error repeats
    /// the message it is about and may be longer; the error is at its front. Every page of it costs time.
    fn buffer_length(self) -> usize {
        match self {
            // A rule may have 128 expressions of some 80 bytes.
            Self::Netfilter => 16 * 1024,
            Self::Route => 8 * 1024,
        }
    }
}

/// The type and the payload, behind the header, of each answer of a list.
pub type Listing = Vec<(u16, Vec<u8>)>;

/// A socket to one part of the kernel. Opening and closing one costs as much as asking a question, so one serves for all.
#[derive(Debug)]
pub struct Socket {
    descriptor: OwnedFd,
    subsystem: Subsystem,
    /// The number of the next message; answers carry the number of what they answer.
    next: u32,
    buffer: Vec<u8>,
    /// For how many bytes of messages, and of answers about them, there is room.
    room: usize,
}

impl Socket {
    /// Opens a socket.
    ///
    /// # Errors
    /// When the kernel has no such part, or gives no socket.
    pub fn open(subsystem: Subsystem) -> Result<Self, Refusal> {
        let protocol = match subsystem {
            Subsystem::Netfilter => SockProtocol::NetlinkNetFilter,
            Subsystem::Route => SockProtocol::NetlinkRoute,
        };
        let flags = SockFlag::SOCK_CLOEXEC;
        let descriptor = socket(AddressFamily::Netlink, SockType::Raw, flags, protocol);
        Ok(Self {
            descriptor: descriptor.map_err(Refusal::Unusable)?,
            subsystem,
            next: 1,
            buffer: vec![0; subsystem.buffer_length()],
            room: ROOM,
        })
    }

    /// Sends messages at once and reads the answers to those that need one.
    ///
    /// # Errors
    /// The first message that the kernel refused, or why it was not sent.
    pub fn exchange(&mut self, messages: &[Message]) -> Result<(), Refusal> {
        let first = self.send(messages)?;
        let mut answers = Answers::new(messages, first);
        // The kernel does its work inside the send, so all answers are there already.
        while !answers.are_complete() {
            match self.receive() {
                Ok(length) => answers.read(&self.buffer[..length]),
                Err(Errno::EAGAIN) => break,
                Err(errno) => return Err(Refusal::Unusable(errno)),
            }
        }
        answers.verdict()
    }

    /// Asks for a list.
    ///
    /// # Errors
    /// When the kernel does not list.
    pub fn list(&mut self, question: &Message) -> Result<Listing, Refusal> {
        for _ in 0..LISTINGS {
            if let Some(list) = self.list_once(question)? {
                return Ok(list);
            }
        }
        Err(refused(question, Errno::EINTR))
    }

    /// A list, or `None` when what is listed has changed meanwhile, so that things may be missing or double.
    fn list_once(&mut self, question: &Message) -> Result<Option<Listing>, Refusal> {
        let number = self.send(std::slice::from_ref(question))?;
        let mut list = Vec::new();
        let mut is_whole = true;
        loop {
            let length = match self.receive() {
                Ok(length) => length,
                Err(Errno::EAGAIN) => {
                    return Err(Refusal::Unanswered(question.label().to_string()));
                }
                Err(errno) => return Err(Refusal::Unusable(errno)),
            };
            let mut bytes = &self.buffer[..length];
            while let Some(answer) = header(bytes) {
                let payload = bytes.get(HEADER..answer.length).unwrap_or_default();
                bytes = bytes
                    .get(answer.length.next_multiple_of(4)..)
                    .unwrap_or_default();
                if answer.number != number {
                    continue;
                }
                is_whole &= !answer.is_interrupted();
                match answer.kind {
                    DONE => return Ok(is_whole.then_some(list)),
                    // What is no list ends with an acknowledgement, if one was requested.
                    ERROR => match error_code(payload) {
                        None => return Ok(Some(list)),
                        Some(reason) => return Err(refused(question, self.cause(reason))),
                    },
                    kind => list.push((kind, payload.to_vec())),
                }
            }
        }
    }

    /// The cause of the kernel's error. Without nf_tables, it reports that requests are invalid, which ours never
    /// are; only for transactions it has an error of its own.
    fn cause(&self, reason: Errno) -> Errno {
        match (self.subsystem, reason) {
            (Subsystem::Netfilter, Errno::EINVAL) => Errno::EOPNOTSUPP,
            (_, reason) => reason,
        }
    }

    /// Sends messages at once and gives the number of the first.
    fn send(&mut self, messages: &[Message]) -> Result<u32, Refusal> {
        let first = self.next;
        let mut bytes = Vec::with_capacity(messages.iter().map(Message::length).sum());
        for message in messages {
            message.write(self.next, &mut bytes);
            self.next = self.next.wrapping_add(1);
        }
        self.make_room(bytes.len());
        let kernel = NetlinkAddr::new(0, 0);
        sendto(
            self.descriptor.as_raw_fd(),
            &bytes,
            &kernel,
            MsgFlags::empty(),
        )
        .map_err(Refusal::Unusable)?;
        Ok(first)
    }

    /// Makes room for messages that are larger than usual, and for errors that repeat each of them.
    fn make_room(&mut self, length: usize) {
        if length <= self.room {
            return;
        }
        // Going beyond the system's limits needs NET_ADMIN. Without it the messages are refused anyway, so failing to
        // raise them has no information.
        let _ = setsockopt(&self.descriptor, sockopt::SndBufForce, &(2 * length));
        let _ = setsockopt(&self.descriptor, sockopt::RcvBufForce, &(4 * length));
        self.room = length;
    }

    /// Reads what is there; never waits.
    fn receive(&mut self) -> nix::Result<usize> {
        loop {
            let descriptor = self.descriptor.as_raw_fd();
            match recv(descriptor, &mut self.buffer, MsgFlags::MSG_DONTWAIT) {
                Err(Errno::EINTR) => {}
                received => return received,
            }
        }
    }
}

/// Messages of this length fit into a socket as it is made, with all answers to them.
const ROOM: usize = 32 * 1024;

/// How often a list is read again that other programs keep changing.
const LISTINGS: usize = 8;

fn refused(message: &Message, reason: Errno) -> Refusal {
    Refusal::Message {
        label: message.label().to_string(),
        reason,
        needs: message.needs().to_vec(),
    }
}
