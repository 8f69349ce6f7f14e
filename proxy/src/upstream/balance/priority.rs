//! Which priority a call goes to: the nearest endpoints as long as enough of them are healthy. Pure.

use egret_config::decide::Dice;

/// Envoy's overprovisioning factor, in percent: a priority carries its whole load until fewer than 5 of 7 are healthy.
const OVERPROVISIONING: u64 = 140;

/// The share of each priority in percent, from the number of its healthy endpoints and of all its endpoints. The excess
/// load goes to the next priority. All zero when no endpoint is healthy.
pub fn loads(levels: &[(usize, usize)]) -> Vec<u64> {
    let health = |(well, all): &(usize, usize)| match *all as u64 {
        0 => 0,
        all => (*well as u64 * OVERPROVISIONING / all).min(100),
    };
    let health: Vec<u64> = levels.iter().map(health).collect();
    let sum: u64 = health.iter().sum();
    if sum == 0 {
        return health;
    }
    let sum = sum.min(100);
    let mut left = 100;
    let mut loads: Vec<u64> = health
        .iter()
        .map(|health| {
            let load = (health * 100 / sum).min(left);
            left -= load;
            load
        })
        .collect();
    // The remainder of rounding.
    if let Some(first) = loads.iter_mut().find(|load| **load > 0) {
        *first += left;
    }
    loads
}

/// The priority that a roll of the dice falls into; `None` when no endpoint is healthy.
pub fn choose(loads: &[u64], dice: Dice<'_>) -> Option<usize> {
    let mut used = loads.iter().enumerate().filter(|(_, load)| **load > 0);
    let (first, load) = used.next()?;
    if *load >= 100 {
        return Some(first);
    }
    let mut rolled = dice(100);
    loads.iter().position(|load| {
        let hit = rolled < *load;
        rolled = rolled.saturating_sub(*load);
        hit
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn excess_load_goes_to_the_next_priority() {
        for (levels, expected) in [
            (&[(1, 1)][..], &[100][..]),
            (&[(3, 3), (3, 3)], &[100, 0]),
            (&[(5, 7), (1, 1)], &[100, 0]),
            (&[(1, 2), (1, 1)], &[70, 30]),
            (&[(0, 2), (1, 1)], &[0, 100]),
            (&[(0, 2), (1, 4), (2, 2)], &[0, 35, 65]),
            (&[(0, 2), (1, 4), (0, 2)], &[0, 100, 0]),
            (&[(1, 4), (1, 4)], &[50, 50]),
            (&[(0, 0), (2, 2)], &[0, 100]),
            (&[(0, 3)], &[0]),
            (&[], &[]),
        ] {
            assert_eq!(loads(levels), expected, "{levels:?}");
        }
    }

    #[test]
    fn the_dice_choose_by_load() {
        assert_eq!(choose(&[0, 35, 65], &mut |_| 34), Some(1));
        assert_eq!(choose(&[0, 35, 65], &mut |_| 35), Some(2));
        assert_eq!(
            choose(&[100, 0], &mut |_| panic!("no dice needed")),
            Some(0)
        );
        assert_eq!(choose(&[0], &mut |_| 0), None);
    }
}
