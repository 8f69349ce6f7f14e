//! Frames of HTTP/2 that cost their sender nothing and their reader work: a peer may send so many beside what serves a purpose
//! (CVE-2019-9511 to 9518, CVE-2023-44487, CVE-2024-27316).

use tokio::time::Instant;

use crate::codec::http2_frames::{Frame, flag, kind};

/// Frames without a purpose that a peer may send at once.
const ALLOWANCE_MAX: u32 = 2_000;

/// How many more it may send each second.
const PER_SECOND: u32 = 200;

/// What the head of one of our messages allows: a window for it, a cancellation, a ping.
const FOR_HEAD: u32 = 2;

/// What each DATA frame of ours allows: windows of its stream and of the connection, a ping that measures the connection.
const FOR_DATA: u32 = 4;

/// What a peer may still send.
#[derive(Debug)]
pub struct Allowance {
    left: u32,
    /// When it last grew with time.
    grown: Instant,
}

impl Default for Allowance {
    fn default() -> Self {
        Self {
            left: ALLOWANCE_MAX,
            grown: Instant::now(),
        }
    }
}

impl Allowance {
    /// We sent a frame.
    pub fn sent(&mut self, frame: &Frame) {
        match frame.kind {
            kind::HEADERS => self.grow(FOR_HEAD),
            kind::DATA if !frame.is_empty() => self.grow(FOR_DATA),
            _ => {}
        }
    }

    /// The peer sent a frame. Returns `false` when it was one too many.
    pub fn received(&mut self, frame: &Frame) -> bool {
        let has = |flag: u8| frame.flags & flag != 0;
        let is_free = match frame.kind {
            kind::DATA if !frame.is_empty() => {
                self.grow(1);
                true
            }
            kind::DATA => has(flag::END_STREAM),
            kind::HEADERS => true,
            kind::SETTINGS | kind::PING => has(flag::ACK),
            _ => false,
        };
        is_free || self.take()
    }

    fn grow(&mut self, by: u32) {
        self.left = self.left.saturating_add(by).min(ALLOWANCE_MAX);
    }

    fn take(&mut self) -> bool {
        if self.left == 0 {
            // The clock is read only for peers that have used up what they had.
            let now = Instant::now();
            let millis = (now - self.grown).as_millis();
            let more = millis * u128::from(PER_SECOND) / 1000;
            if more > 0 {
                self.grown = now;
                self.grow(u32::try_from(more).unwrap_or(ALLOWANCE_MAX));
            }
        }
        match self.left.checked_sub(1) {
            Some(left) => {
                self.left = left;
                true
            }
            None => false,
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use tokio::time;

    use super::*;

    fn frame(kind: u8, flags: u8, payload: u64) -> Frame {
        Frame {
            stream: 1,
            kind,
            flags,
            length: 9 + payload,
        }
    }

    /// How many of these frames a peer may send at once.
    fn allowed(allowance: &mut Allowance, frame: &Frame) -> u32 {
        (0..1_000_000)
            .take_while(|_| allowance.received(frame))
            .map(|_| 1)
            .sum()
    }

    #[tokio::test(start_paused = true)]
    async fn floods_end_and_others_do_not() {
        let ping = frame(kind::PING, 0, 8);
        for flood in [
            ping,
            frame(kind::SETTINGS, 0, 0),
            frame(kind::DATA, 0, 0),
            frame(kind::RST_STREAM, 0, 4),
            frame(kind::CONTINUATION, 0, 100),
            frame(0x20, 0, 0),
        ] {
            let mut allowance = Allowance::default();
            assert_eq!(allowed(&mut allowance, &flood), ALLOWANCE_MAX, "{flood:?}");
        }
        for other in [
            frame(kind::PING, flag::ACK, 8),
            frame(kind::SETTINGS, flag::ACK, 0),
            frame(kind::DATA, flag::END_STREAM, 0),
            frame(kind::DATA, 0, 1),
            frame(kind::HEADERS, flag::END_HEADERS, 20),
        ] {
            let mut allowance = Allowance::default();
            assert_eq!(allowed(&mut allowance, &other), 1_000_000, "{other:?}");
        }
    }

    #[tokio::test(start_paused = true)]
    async fn time_and_answers_allow_more() {
        let ping = frame(kind::PING, 0, 8);
        let mut allowance = Allowance::default();
        assert_eq!(allowed(&mut allowance, &ping), ALLOWANCE_MAX);
        time::advance(Duration::from_millis(500)).await;
        assert_eq!(allowed(&mut allowance, &ping), PER_SECOND / 2);
        allowance.sent(&frame(kind::HEADERS, flag::END_HEADERS, 20));
        allowance.sent(&frame(kind::DATA, 0, 20));
        assert_eq!(allowed(&mut allowance, &ping), FOR_HEAD + FOR_DATA);
        time::advance(Duration::from_secs(3600)).await;
        assert_eq!(allowed(&mut allowance, &ping), ALLOWANCE_MAX);
    }
}
