//! The elements of comma-separated lists, and single values, as iptables-restore reads them.

use std::ops::RangeInclusive;

use crate::intent::model::Ports;
use crate::rules::Owner;

/// Empty elements are skipped. Blanks around one mean nothing: istio-iptables writes its elements into lines that
/// iptables-restore splits at blanks, so `80, 443` has always worked there.
pub(super) fn elements(list: &str) -> impl Iterator<Item = &str> {
    list.split(',')
        .filter(|element| !element.is_empty())
        .map(unpadded)
}

/// A text without the blanks that iptables-restore would split at.
pub(super) fn unpadded(text: &str) -> &str {
    text.trim_matches([' ', '\t'])
}

/// A number, a range of numbers as iptables writes it, or a name.
pub(super) fn owner(element: &str, find: impl Fn(&str) -> Option<u32>) -> Option<Owner> {
    if let Ok(id) = element.parse() {
        return Some(id..=id);
    }
    if let Some((first, last)) = element.split_once('-')
        && let (Ok(first), Ok(last)) = (first.parse::<u32>(), last.parse::<u32>())
    {
        return (first <= last).then_some(first..=last);
    }
    find(element).map(|id| id..=id)
}

/// A port or a range of ports. Where a range is written with a colon, a missing end is the lowest or the highest port.
pub(super) fn ports(element: &str) -> Option<RangeInclusive<u16>> {
    let (first, last) = match element.split_once(':') {
        Some(("", "")) => ("0", "65535"),
        Some(("", last)) => ("0", last),
        Some((first, "")) => (first, "65535"),
        Some(ends) => ends,
        None => element.split_once('-').unwrap_or((element, element)),
    };
    let (first, last) = (first.parse().ok()?, last.parse().ok()?);
    (first <= last).then_some(first..=last)
}

/// Sorts, and joins ranges that overlap or touch.
pub(super) fn merge(mut ports: Ports) -> Ports {
    ports.sort_by_key(|range| *range.start());
    let mut merged: Ports = Vec::new();
    for range in ports {
        match merged.last_mut() {
            Some(last) if *range.start() <= last.end().saturating_add(1) => {
                *last = *last.start()..=*last.end().max(range.end());
            }
            _ => merged.push(range),
        }
    }
    merged
}

/// A number, decimal, or hexadecimal after `0x`.
pub(super) fn number(text: &str) -> Option<u32> {
    let text = unpadded(text);
    match text.strip_prefix("0x").or_else(|| text.strip_prefix("0X")) {
        Some(digits) => u32::from_str_radix(digits, 16).ok(),
        None => text.parse().ok(),
    }
}
