//! Chance. Decisions take their dice as an argument; these are the dice that a running proxy passes.

/// A number below `sides`, each as likely as the others; zero where `sides` is zero.
pub fn roll(sides: u64) -> u64 {
    fastrand::u64(..sides.max(1))
}

/// Any number.
pub fn number() -> u64 {
    fastrand::u64(..)
}

/// A number of at least zero and below one.
pub fn fraction() -> f64 {
    fastrand::f64()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rolls_are_below_the_number_of_sides() {
        assert_eq!((roll(0), roll(1)), (0, 0));
        let rolls: std::collections::BTreeSet<_> = (0..1000).map(|_| roll(3)).collect();
        assert_eq!(rolls.into_iter().collect::<Vec<_>>(), [0, 1, 2]);
        assert!((0..1000).all(|_| (0.0..1.0).contains(&fraction())));
        assert_ne!(number(), number());
    }
}
