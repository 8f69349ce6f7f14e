//! One of several, by weight, from dice that the caller passes.

use crate::decide::Dice;

/// Picks an item by its share of the sum of weights; `None` when all weights are 0. A single item needs no dice.
pub(crate) fn split<'t, T>(
    items: &'t [T],
    weight: impl Fn(&T) -> u32,
    dice: Dice<'_>,
) -> Option<&'t T> {
    if let [only] = items {
        return Some(only);
    }
    let total: u64 = items.iter().map(|item| u64::from(weight(item))).sum();
    if total == 0 {
        return None;
    }
    let mut rolled = dice(total);
    items.iter().find(|item| {
        let share = u64::from(weight(item));
        let hit = rolled < share;
        rolled = rolled.saturating_sub(share);
        hit
    })
}
