//! Which destinations a query selects, and in which order.

use std::cmp::Reverse;

use egret_config::decide::outcome::OutcomeKind;

use crate::admin::query::Query;
use crate::report::destinations::{Destination, RowAddress};

/// How many rows are shown where the query does not say it.
const LIMIT_DEFAULT: usize = 1000;

/// Which destinations are shown.
#[derive(Debug)]
pub(super) struct Selection {
    /// Part of a name or an address, in lower case; empty for all.
    text: String,
    verdict: Option<OutcomeKind>,
    order: Order,
    /// How many at most.
    pub(super) limit: usize,
    /// In which form.
    pub(super) form: TableForm,
}

/// The form of a table.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum TableForm {
    Json,
    Csv,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Order {
    /// The most calls first.
    Calls,
    /// By name.
    Name,
    /// Called last first.
    Last,
    /// The most bytes first.
    Bytes,
}

impl Selection {
    /// Reads a query.
    ///
    /// # Errors
    /// Which value has no meaning, and those that have one.
    pub(super) fn of(query: Query<'_>) -> Result<Self, String> {
        let value = |name: &str| query.value(name).filter(|value| !value.is_empty());
        let verdict = |name: &str| {
            let kinds = OutcomeKind::ALL.iter();
            let mut known = kinds.copied().filter(|kind| kind.name() == name);
            known.next().ok_or_else(|| {
                let names = OutcomeKind::ALL.map(OutcomeKind::name).join(", ");
                format!("unknown verdict {name:?}: verdicts are {names}")
            })
        };
        Ok(Self {
            text: value("q").unwrap_or_default().to_lowercase(),
            verdict: value("verdict").map(|name| verdict(&name)).transpose()?,
            order: match value("sort").as_deref() {
                None | Some("calls") => Order::Calls,
                Some("name") => Order::Name,
                Some("last") => Order::Last,
                Some("bytes") => Order::Bytes,
                Some(other) => {
                    return Err(format!(
                        "unknown order {other:?}: sort is calls, name, last or bytes"
                    ));
                }
            },
            limit: match value("limit") {
                None => LIMIT_DEFAULT,
                Some(number) => number
                    .parse()
                    .map_err(|_| format!("limit {number:?} is not a number"))?,
            },
            form: match value("format").as_deref() {
                None | Some("json") => TableForm::Json,
                Some("csv") => TableForm::Csv,
                Some(other) => {
                    return Err(format!("unknown format {other:?}: format is json or csv"));
                }
            },
        })
    }

    /// Leaves those that are shown, in order. Gives how many there are without the limit.
    pub(super) fn apply(&self, rows: &mut Vec<Destination>) -> usize {
        rows.retain(|row| self.has(row));
        let total = rows.len();
        match self.order {
            Order::Calls => rows.sort_by_key(|row| Reverse(row.calls)),
            Order::Last => rows.sort_by_key(|row| Reverse(row.last)),
            Order::Bytes => rows.sort_by_key(|row| Reverse(row.sent + row.received)),
            Order::Name => rows.sort_by_cached_key(title),
        }
        rows.truncate(self.limit);
        total
    }

    fn has(&self, row: &Destination) -> bool {
        let has_text = || {
            let name = row.key.name.as_deref().unwrap_or_default();
            name.to_lowercase().contains(&self.text) || address(row).contains(&self.text)
        };
        self.verdict.is_none_or(|verdict| verdict == row.verdict())
            && (self.text.is_empty() || has_text())
    }
}

fn address(row: &Destination) -> String {
    match &row.address {
        Some(RowAddress::Ip(ip)) => ip.to_string(),
        Some(RowAddress::Unix(path)) => path.to_lowercase(),
        None => String::new(),
    }
}

/// What a row is sorted by: its name, else its address; then its port.
fn title(row: &Destination) -> (String, u16) {
    let name = row.key.name.as_deref().map(str::to_owned);
    (name.unwrap_or_else(|| address(row)), row.key.port)
}
