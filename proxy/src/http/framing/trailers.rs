//! The trailers of a body in chunks, followed to their end.

use crate::http::framing::step::Step;

/// What the next byte of trailers is part of: a line, or the empty one behind the last.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Trailers {
    /// Whether this line had a byte.
    begun: bool,
    /// Whether the last one was a carriage return.
    returned: bool,
}

impl Trailers {
    /// Takes trailers, whose lines end in `\r\n` as those of chunks do, and says whether they go on. Hyper would look for
    /// the end in one way and for fields in another where they do not, and gets to see a byte that it refuses. Lines are
    /// joined unless they are to be left `untouched`.
    pub(super) fn step(self, bytes: &[u8], untouched: bool) -> (Step, Option<Self>) {
        let Self {
            mut begun,
            mut returned,
        } = self;
        let (mut at, mut step) = (0, None);
        while let (Some(byte), None) = (bytes.get(at), &step) {
            match byte {
                b'\n' if returned && !begun => return (Step::On(at + 1), None),
                b'\n' if returned => {
                    let line = at.saturating_sub(1);
                    match bytes.get(at + 1) {
                        _ if untouched => begun = false,
                        None => step = Some(Step::Hold(line)),
                        Some(b' ' | b'\t') => step = Some(Step::Join(line, at + 1)),
                        Some(_) => begun = false,
                    }
                    returned = false;
                }
                b'\n' if !untouched => {
                    begun = true;
                    step = Some(Step::Spoil(at));
                }
                b'\r' => returned = true,
                _ => (begun, returned) = (true, false),
            }
            at += 1;
        }
        if returned && !untouched {
            returned = false;
            step = Some(Step::Hold(at.saturating_sub(1)));
        }
        let next = Self { begun, returned };
        (step.unwrap_or(Step::On(bytes.len())), Some(next))
    }
}
