//! Frames of HTTP/2 that cost their sender nothing and their reader work: a peer may send so many beside what serves a purpose
//! (CVE-2019-9511 to 9518, CVE-2023-44487, CVE-2024-27316).

use tokio::time::Instant;

use crate::codec::http2_frames::{Frame, flag, kind};

/// What a peer may spend at once: it may cancel all streams that it may have, and more.
const ALLOWANCE_MAX: u32 = 2_000;

/// How much more it may spend each second.
const PER_SECOND: u32 = 200;

/// What the head of one of our messages, and each DATA frame of ours, allows: windows of the stream and of the connection, a
/// cancellation, a ping that measures the connection.
const FOR_ANSWER: u32 = 6;

/// What a DATA frame of ours allows that is shorter than [`SHORT`]: a peer whose window grows by a byte gets many of them.
const FOR_SHORT: u32 = 1;

/// The length in bytes of a frame that serves a purpose, where the peer's window says how long it is.
const SHORT: u64 = 64;

/// The price of a frame that no client has to send often.
const RARE: u32 = 4;

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
            kind::HEADERS => self.grow(FOR_ANSWER),
            kind::DATA if frame.length >= SHORT => self.grow(FOR_ANSWER),
            kind::DATA => self.grow(FOR_SHORT),
            _ => {}
        }
    }

    /// What a frame of the peer costs it.
    pub fn price(frame: &Frame) -> u32 {
        let has = |flag: u8| frame.flags & flag != 0;
        match frame.kind {
            kind::DATA if !frame.is_empty() || has(flag::END_STREAM) => 0,
            kind::SETTINGS | kind::PING if has(flag::ACK) => 0,
            kind::HEADERS => 0,
            kind::RST_STREAM | kind::PING | kind::WINDOW_UPDATE | kind::CONTINUATION => 1,
            _ => RARE,
        }
    }

    /// The peer sent a frame. Returns `false` when it was one too many.
    pub fn received(&mut self, frame: &Frame) -> bool {
        if frame.kind == kind::DATA && !frame.is_empty() {
            self.grow(1);
        }
        match Self::price(frame) {
            0 => true,
            price => self.take(price),
        }
    }

    fn grow(&mut self, by: u32) {
        self.left = self.left.saturating_add(by).min(ALLOWANCE_MAX);
    }

    fn take(&mut self, price: u32) -> bool {
        if self.left < price {
            // The clock is read only for peers that have used up what they had.
            let now = Instant::now();
            let millis = (now - self.grown).as_millis();
            let more = millis * u128::from(PER_SECOND) / 1000;
            if more > 0 {
                self.grown = now;
                self.grow(u32::try_from(more).unwrap_or(ALLOWANCE_MAX));
            }
        }
        match self.left.checked_sub(price) {
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
        for (flood, price) in [
            (frame(kind::PING, 0, 8), 1),
            (frame(kind::SETTINGS, 0, 0), RARE),
            (frame(kind::DATA, 0, 0), RARE),
            (frame(0x20, 0, 0), RARE),
            (frame(kind::RST_STREAM, 0, 4), 1),
            (frame(kind::WINDOW_UPDATE, 0, 4), 1),
            (frame(kind::CONTINUATION, 0, 100), 1),
        ] {
            let mut allowance = Allowance::default();
            let sent = allowed(&mut allowance, &flood);
            assert_eq!(sent, ALLOWANCE_MAX / price, "{flood:?}");
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
        let reset = frame(kind::RST_STREAM, 0, 4);
        let mut allowance = Allowance::default();
        assert_eq!(allowed(&mut allowance, &reset), ALLOWANCE_MAX);
        time::advance(Duration::from_millis(500)).await;
        assert_eq!(allowed(&mut allowance, &reset), PER_SECOND / 2);
        allowance.sent(&frame(kind::HEADERS, flag::END_HEADERS, 20));
        allowance.sent(&frame(kind::DATA, 0, 200));
        allowance.sent(&frame(kind::DATA, 0, 1));
        let more = 2 * FOR_ANSWER + FOR_SHORT;
        assert_eq!(allowed(&mut allowance, &reset), more);
        time::advance(Duration::from_secs(3600)).await;
        assert_eq!(allowed(&mut allowance, &reset), ALLOWANCE_MAX);
    }
}
