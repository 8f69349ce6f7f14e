//! Counts the messages of a gRPC call as its bytes pass (gRPC over HTTP/2, "Length-Prefixed-Message"): a prefix of one
//! byte for the compression and four bytes for the length precedes each message.

/// Bytes in front of a message.
const PREFIX: usize = 5;

/// The messages of one direction of a call.
#[derive(Clone, Debug, Default)]
pub struct MessageCounter {
    /// The received bytes of the prefix, and the length read from them so far.
    prefix: usize,
    length: u32,
    /// The rest of the message in bytes.
    left: u64,
    count: u64,
}

impl MessageCounter {
    /// Counts the messages with a prefix that these bytes complete.
    pub fn feed(&mut self, mut bytes: &[u8]) {
        while !bytes.is_empty() {
            if self.left > 0 {
                let skipped = usize::try_from(self.left).unwrap_or(usize::MAX);
                let skipped = skipped.min(bytes.len());
                self.left -= skipped as u64;
                bytes = &bytes[skipped..];
                continue;
            }
            // The first byte is the flag. The shifts of the next four bytes remove it.
            self.length = (self.length << 8) | u32::from(bytes[0]);
            self.prefix += 1;
            bytes = &bytes[1..];
            if self.prefix == PREFIX {
                self.left = self.length.into();
                self.count += 1;
                (self.prefix, self.length) = (0, 0);
            }
        }
    }

    /// The messages so far.
    pub fn count(&self) -> u64 {
        self.count
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn messages_are_counted_wherever_the_bytes_are_split() {
        let mut bytes = Vec::new();
        for (flag, length) in [(0, 3_u32), (1, 0), (0, 300), (0, 1)] {
            bytes.push(flag);
            bytes.extend(length.to_be_bytes());
            bytes.extend(vec![7; length as usize]);
        }
        for split in 0..bytes.len() {
            let mut counter = MessageCounter::default();
            counter.feed(&bytes[..split]);
            counter.feed(&bytes[split..]);
            assert_eq!(counter.count(), 4, "{split}");
        }
        let mut counter = MessageCounter::default();
        for byte in &bytes {
            counter.feed(std::slice::from_ref(byte));
        }
        assert_eq!(counter.count(), 4);
    }

    #[test]
    fn a_message_counts_once_its_length_is_known() {
        let mut counter = MessageCounter::default();
        counter.feed(&[0, 0, 0, 0]);
        assert_eq!(counter.count(), 0);
        counter.feed(&[2]);
        assert_eq!(counter.count(), 1);
        counter.feed(&[1, 1, 0]);
        assert_eq!(counter.count(), 1);
    }
}
