//! XXH64, with which Envoy hashes: a client that moves between Envoy and egret keeps its endpoint.

const PRIMES: [u64; 5] = [
    0x9E37_79B1_85EB_CA87,
    0xC2B2_AE3D_27D4_EB4F,
    0x1656_67B1_9E37_79F9,
    0x85EB_CA77_C2B2_AE63,
    0x27D4_EB2F_1656_67C5,
];

/// The hash of some bytes.
pub fn xxh64(bytes: &[u8], seed: u64) -> u64 {
    let [one, two, three, four, five] = PRIMES;
    let (blocks, rest) = bytes.as_chunks::<32>();
    let mut hash = if blocks.is_empty() {
        seed.wrapping_add(five)
    } else {
        let mut lanes = [
            seed.wrapping_add(one).wrapping_add(two),
            seed.wrapping_add(two),
            seed,
            seed.wrapping_sub(one),
        ];
        for block in blocks {
            for (lane, chunk) in lanes.iter_mut().zip(block.as_chunks::<8>().0) {
                *lane = round(*lane, u64::from_le_bytes(*chunk));
            }
        }
        let turns = [1, 7, 12, 18];
        let mixed = lanes.iter().zip(turns).fold(0u64, |sum, (lane, turn)| {
            sum.wrapping_add(lane.rotate_left(turn))
        });
        lanes.iter().fold(mixed, |hash, lane| {
            (hash ^ round(0, *lane))
                .wrapping_mul(one)
                .wrapping_add(four)
        })
    };
    hash = hash.wrapping_add(bytes.len() as u64);
    let (chunks, rest) = rest.as_chunks::<8>();
    for chunk in chunks {
        hash ^= round(0, u64::from_le_bytes(*chunk));
        hash = hash.rotate_left(27).wrapping_mul(one).wrapping_add(four);
    }
    let (halves, rest) = rest.as_chunks::<4>();
    for half in halves {
        hash ^= u64::from(u32::from_le_bytes(*half)).wrapping_mul(one);
        hash = hash.rotate_left(23).wrapping_mul(two).wrapping_add(three);
    }
    for byte in rest {
        hash ^= u64::from(*byte).wrapping_mul(five);
        hash = hash.rotate_left(11).wrapping_mul(one);
    }
    hash = (hash ^ (hash >> 33)).wrapping_mul(two);
    hash = (hash ^ (hash >> 29)).wrapping_mul(three);
    hash ^ (hash >> 32)
}

fn round(lane: u64, input: u64) -> u64 {
    let [one, two, ..] = PRIMES;
    lane.wrapping_add(input.wrapping_mul(two))
        .rotate_left(31)
        .wrapping_mul(one)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_of_the_reference_implementation() {
        for (text, hash) in [
            ("", 0xEF46_DB37_51D8_E999),
            ("a", 0xD24E_C4F1_A98C_6E5B),
            ("abc", 0x44BC_2CF5_AD77_0999),
            (
                "Nobody inspects the spammish repetition",
                0xFBCE_A83C_8A37_8BF1,
            ),
        ] {
            assert_eq!(xxh64(text.as_bytes(), 0), hash, "{text}");
        }
    }
}
