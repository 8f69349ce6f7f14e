//! Single expressions, one behind the other: what loads a value, what compares it, what does something with it.

use crate::netlink::message::Attributes;
use crate::rules::{ChainName, Family, Protocol, SetName};

/// The registers: verdicts go to one, everything else through the other.
const VERDICT: u32 = 0;
pub(super) const VALUE: u32 = 1;

/// The expressions of a rule so far.
#[derive(Default)]
pub(super) struct List {
    pub(super) attributes: Attributes,
    /// What the conditions so far have established, and need not again. nft leaves out the same.
    pub(super) protocol: Option<Protocol>,
    pub(super) family: Option<Family>,
}

impl List {
    pub(super) fn add(&mut self, name: &str, data: &Attributes) {
        let expression = Attributes::new().text(1, name).nested(2, data);
        self.attributes = std::mem::take(&mut self.attributes).nested(1, &expression);
    }

    pub(super) fn value(&mut self, value: &[u8]) {
        let value = Attributes::new().bytes(1, value);
        self.add(
            "immediate",
            &Attributes::new().number(1, VALUE).nested(2, &value),
        );
    }

    pub(super) fn connection(&mut self, key: u32) {
        self.add("ct", &Attributes::new().number(1, VALUE).number(2, key));
    }

    pub(super) fn set_connection(&mut self, key: u32) {
        self.add("ct", &Attributes::new().number(2, key).number(4, VALUE));
    }

    pub(super) fn verdict(&mut self, code: i32, chain: Option<ChainName>) {
        let mut verdict = Attributes::new().bytes(1, &code.to_be_bytes());
        if let Some(chain) = chain {
            verdict = verdict.text(2, &chain.to_string());
        }
        let value = Attributes::new().nested(2, &verdict);
        self.add(
            "immediate",
            &Attributes::new().number(1, VERDICT).nested(2, &value),
        );
    }

    pub(super) fn meta(&mut self, key: u32) {
        self.add("meta", &Attributes::new().number(1, VALUE).number(2, key));
    }

    pub(super) fn payload(&mut self, header: u32, offset: u32, length: u32) {
        self.add(
            "payload",
            &Attributes::new()
                .number(1, VALUE)
                .number(2, header)
                .number(3, offset)
                .number(4, length),
        );
    }

    pub(super) fn mask(&mut self, mask: &[u8]) {
        let length = u32::try_from(mask.len()).expect("at most an address");
        let zero = Attributes::new().bytes(1, &vec![0; mask.len()]);
        let mask = Attributes::new().bytes(1, mask);
        let data = Attributes::new()
            .number(1, VALUE)
            .number(2, VALUE)
            .number(3, length);
        self.add("bitwise", &data.nested(4, &mask).nested(5, &zero));
    }

    pub(super) fn compare(&mut self, comparison: u32, value: &[u8]) {
        let value = Attributes::new().bytes(1, value);
        self.add(
            "cmp",
            &Attributes::new()
                .number(1, VALUE)
                .number(2, comparison)
                .nested(3, &value),
        );
    }

    pub(super) fn lookup(&mut self, set: SetName) {
        self.add(
            "lookup",
            &Attributes::new().text(1, &set.to_string()).number(2, VALUE),
        );
    }
}
