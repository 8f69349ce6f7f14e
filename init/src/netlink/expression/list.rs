//! Single expressions, one behind the other: what loads a value, what compares it, what does something with it.

use crate::netlink::message::Attributes;
use crate::rules::{ChainName, Family, Protocol, SetName, TableFamily};

/// The registers: verdicts go to one, everything else through the other.
const VERDICT: u32 = 0;
pub(super) const VALUE: u32 = 1;

/// The expressions of a rule so far.
pub(super) struct List {
    pub(super) attributes: Attributes,
    /// What the conditions so far have established, and need not again. nft leaves out the same.
    pub(super) protocol: Option<Protocol>,
    pub(super) family: Option<Family>,
    /// The family of the table the rule is in.
    pub(super) table: TableFamily,
}

impl List {
    pub(super) fn add(&mut self, name: &str, data: impl FnOnce(Attributes) -> Attributes) {
        let attributes = std::mem::take(&mut self.attributes);
        self.attributes =
            attributes.within(1, |expression| expression.text(1, name).within(2, data));
    }

    pub(super) fn value(&mut self, value: &[u8]) {
        self.add("immediate", |data| {
            data.number(1, VALUE)
                .within(2, |inner| inner.bytes(1, value))
        });
    }

    pub(super) fn connection(&mut self, key: u32) {
        self.add("ct", |data| data.number(1, VALUE).number(2, key));
    }

    pub(super) fn set_connection(&mut self, key: u32) {
        self.add("ct", |data| data.number(2, key).number(4, VALUE));
    }

    pub(super) fn verdict(&mut self, code: i32, chain: Option<ChainName>) {
        let verdict = |verdict: Attributes| {
            let verdict = verdict.bytes(1, &code.to_be_bytes());
            match chain {
                Some(chain) => verdict.text(2, chain.name()),
                None => verdict,
            }
        };
        self.add("immediate", |data| {
            let data = data.number(1, VERDICT);
            data.within(2, |value| value.within(2, verdict))
        });
    }

    pub(super) fn meta(&mut self, key: u32) {
        self.add("meta", |data| data.number(1, VALUE).number(2, key));
    }

    pub(super) fn payload(&mut self, header: u32, offset: u32, length: u32) {
        self.add("payload", |data| {
            let data = data.number(1, VALUE).number(2, header);
            data.number(3, offset).number(4, length)
        });
    }

    pub(super) fn mask(&mut self, mask: &[u8]) {
        let length = u32::try_from(mask.len()).expect("at most an address");
        let zero = vec![0; mask.len()];
        self.add("bitwise", |data| {
            let data = data.number(1, VALUE).number(2, VALUE).number(3, length);
            let data = data.within(4, |value| value.bytes(1, mask));
            data.within(5, |value| value.bytes(1, &zero))
        });
    }

    pub(super) fn compare(&mut self, comparison: u32, value: &[u8]) {
        self.add("cmp", |data| {
            let data = data.number(1, VALUE).number(2, comparison);
            data.within(3, |inner| inner.bytes(1, value))
        });
    }

    pub(super) fn lookup(&mut self, set: SetName) {
        self.add("lookup", |data| data.text(1, set.name()).number(2, VALUE));
    }
}
