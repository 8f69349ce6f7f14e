//! Prometheus' text format, read as strictly as `promtool check metrics` does.

use std::collections::{BTreeMap, BTreeSet};

/// One line that is no comment.
#[derive(Clone, Debug, PartialEq)]
pub struct Sample {
    /// The name, with `_bucket`, `_sum` or `_count` where it is a part of a histogram.
    pub name: String,
    /// The labels, unescaped.
    pub labels: BTreeMap<String, String>,
    /// The value.
    pub value: f64,
}

/// What a series is found by: its name and its labels.
type SeriesName = (String, BTreeMap<String, String>);

/// What was scraped.
#[derive(Clone, Debug, Default)]
pub struct Exposition {
    /// The types of the families, by name.
    pub types: BTreeMap<String, String>,
    /// The families that say what they are.
    pub helped: BTreeSet<String>,
    /// All samples, in order.
    pub samples: Vec<Sample>,
    /// Where each series is.
    index: BTreeMap<SeriesName, usize>,
}

impl Exposition {
    /// Reads a text.
    ///
    /// # Errors
    /// The first line that breaks the format, and why: a family with two types or in two places, a series that is there
    /// twice, a value that is badly escaped, a histogram that does not add up.
    pub fn read(text: &str) -> Result<Self, String> {
        let mut read = Self::default();
        let mut family = String::new();
        let mut done = BTreeSet::new();
        if !text.is_empty() && !text.ends_with('\n') {
            return Err("the last line has no end".to_owned());
        }
        for line in text.lines() {
            let wrong = |why: &str| Err(format!("{why}: {line}"));
            if let Some(comment) = line.strip_prefix("# ") {
                let mut words = comment.splitn(3, ' ');
                let (word, name) = (words.next().unwrap_or(""), words.next().unwrap_or(""));
                if !matches!(word, "TYPE" | "HELP") {
                    continue;
                }
                if family != name {
                    if !family.is_empty() && !done.insert(family.clone()) || done.contains(name) {
                        return wrong("a family that stands in two places");
                    }
                    family = name.to_owned();
                }
                let rest = words.next().unwrap_or("").to_owned();
                if word == "HELP" {
                    if rest.is_empty() || !read.helped.insert(family.clone()) {
                        return wrong("no help, or a second one");
                    }
                } else if read.types.insert(family.clone(), rest).is_some() {
                    return wrong("a second type");
                }
                continue;
            }
            let sample = match sample(line) {
                Ok(sample) => sample,
                Err(why) => return wrong(why),
            };
            let kind = read.types.get(&family).map(String::as_str);
            let parts: &[&str] = match kind {
                Some("histogram") => &["_bucket", "_sum", "_count"],
                Some("counter" | "gauge" | "untyped") => &[""],
                _ => return wrong("no type, or none that there is"),
            };
            let part = sample.name.strip_prefix(&family);
            if !part.is_some_and(|part| parts.contains(&part)) {
                return wrong("a sample of another family");
            }
            let series = (sample.name.clone(), sample.labels.clone());
            if read.index.insert(series, read.samples.len()).is_some() {
                return wrong("a series that is there twice");
            }
            read.samples.push(sample);
        }
        read.histograms()?;
        Ok(read)
    }

    /// What `promtool check metrics` objects to in the families whose names begin with `prefix`.
    pub fn lint(&self, prefix: &str) -> Vec<String> {
        let mut found = Vec::new();
        let own = |(name, _): &(&String, &String)| name.starts_with(prefix);
        for (name, kind) in self.types.iter().filter(own) {
            let mut objects = |why: &str| found.push(format!("{name}: {why}"));
            if !self.helped.contains(name) {
                objects("no help");
            }
            if (kind == "counter") != name.ends_with("_total") {
                objects("counters, and only they, end in _total");
            }
            if ["_count", "_sum", "_bucket"]
                .iter()
                .any(|end| name.ends_with(end))
            {
                objects("ends as a part of a histogram does");
            }
            let kinds = ["counter", "gauge", "histogram", "summary"];
            if name.split('_').any(|word| kinds.contains(&word)) {
                objects("names its type");
            }
            let units = [
                "milliseconds",
                "ms",
                "kilobytes",
                "minutes",
                "hours",
                "percent",
            ];
            if name.split('_').any(|word| units.contains(&word)) {
                objects("not a base unit");
            }
            if name
                .chars()
                .any(|character| character.is_ascii_uppercase() || character == ':')
            {
                objects("not in snake case");
            }
        }
        found
    }

    /// The samples of a name whose labels include these.
    pub fn of(&self, name: &str, labels: &[(&str, &str)]) -> Vec<&Sample> {
        let fits = |sample: &&Sample| {
            sample.name == name
                && labels
                    .iter()
                    .all(|(name, value)| sample.labels.get(*name).is_some_and(|own| own == value))
        };
        self.samples.iter().filter(fits).collect()
    }

    /// The sum of the samples of a name whose labels include these; 0 where there is none.
    pub fn sum(&self, name: &str, labels: &[(&str, &str)]) -> f64 {
        self.of(name, labels)
            .iter()
            .map(|sample| sample.value)
            .sum()
    }

    /// Buckets grow, the last one is the count, and there is a sum.
    fn histograms(&self) -> Result<(), String> {
        let mut buckets: BTreeMap<SeriesName, Vec<(f64, f64)>> = BTreeMap::new();
        for sample in &self.samples {
            let Some(family) = sample.name.strip_suffix("_bucket") else {
                continue;
            };
            let mut labels = sample.labels.clone();
            let bound = labels.remove("le").ok_or("a bucket without bound")?;
            let bound = match bound.as_str() {
                "+Inf" => f64::INFINITY,
                bound => bound.parse().map_err(|_| format!("no bound: {bound}"))?,
            };
            let key = (family.to_owned(), labels);
            buckets.entry(key).or_default().push((bound, sample.value));
        }
        let value = |name: String, labels: &BTreeMap<String, String>| {
            let at = self.index.get(&(name, labels.clone()));
            at.and_then(|at| self.samples.get(*at))
                .map(|sample| sample.value)
        };
        for ((family, labels), buckets) in buckets {
            let grow = buckets
                .windows(2)
                .all(|pair| pair[0].0 < pair[1].0 && pair[0].1 <= pair[1].1);
            let last = buckets.last().copied().unwrap_or_default();
            let count = value(format!("{family}_count"), &labels);
            let sum = value(format!("{family}_sum"), &labels);
            if !grow || last.0 != f64::INFINITY || Some(last.1) != count || sum.is_none() {
                return Err(format!(
                    "a histogram that does not add up: {family} {labels:?}"
                ));
            }
        }
        Ok(())
    }
}

fn sample(line: &str) -> Result<Sample, &'static str> {
    let end = line.find(['{', ' ']).ok_or("no value")?;
    let (name, rest) = line.split_at(end);
    if !is_name(name) {
        return Err("no name");
    }
    let (labels, rest) = match rest.strip_prefix('{') {
        Some(rest) => labels(rest)?,
        None => (BTreeMap::new(), rest),
    };
    let value = rest.strip_prefix(' ').ok_or("no value")?;
    Ok(Sample {
        name: name.to_owned(),
        labels,
        value: value.parse().map_err(|_| "no number")?,
    })
}

/// The labels up to the closing brace, and what stands behind it.
fn labels(mut rest: &str) -> Result<(BTreeMap<String, String>, &str), &'static str> {
    let mut labels = BTreeMap::new();
    loop {
        let (name, after) = rest.split_once("=\"").ok_or("no label")?;
        if !is_name(name) || name.contains(':') {
            return Err("no name of a label");
        }
        let mut value = String::new();
        let mut characters = after.char_indices();
        let end = loop {
            match characters.next().ok_or("a value without end")? {
                (at, '"') => break at,
                (_, '\\') => value.push(match characters.next() {
                    Some((_, '\\')) => '\\',
                    Some((_, '"')) => '"',
                    Some((_, 'n')) => '\n',
                    _ => return Err("an escape that there is not"),
                }),
                (_, other) => value.push(other),
            }
        };
        if labels.insert(name.to_owned(), value).is_some() {
            return Err("a label that is there twice");
        }
        let after = &after[end + 1..];
        match after.strip_prefix(',') {
            Some(more) => rest = more,
            None => return Ok((labels, after.strip_prefix('}').ok_or("no closing brace")?)),
        }
    }
}

fn is_name(text: &str) -> bool {
    let mut characters = text.chars();
    let first = characters
        .next()
        .is_some_and(|first| first.is_ascii_alphabetic() || matches!(first, '_' | ':'));
    first && characters.all(|other| other.is_ascii_alphanumeric() || matches!(other, '_' | ':'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_well_formed_is_read() {
        let text = "# HELP a_total All.\n# TYPE a_total counter\na_total{x=\"1\\n\\\"\\\\\"} 2\na_total 3\n\
                    # TYPE h histogram\nh_bucket{le=\"1\"} 1\nh_bucket{le=\"+Inf\"} 2\nh_sum 3.5\nh_count 2\n";
        let read = Exposition::read(text).unwrap();
        assert_eq!(read.sum("a_total", &[]), 5.0);
        assert_eq!(read.sum("a_total", &[("x", "1\n\"\\")]), 2.0);
        assert_eq!(read.lint("a_"), Vec::<String>::new());
        assert_eq!(read.lint("h"), ["h: no help"]);
    }

    #[test]
    fn what_is_not_is_refused() {
        let counter = "# TYPE a counter\n";
        for wrong in [
            "a 1\n",
            "# TYPE a counter\na 1",
            "# TYPE a counter\n# TYPE a counter\n",
            "# TYPE a counter\n# TYPE b counter\n# TYPE a counter\n",
            "# TYPE a counter\nb 1\n",
            "# TYPE a counter\na 1\na 1\n",
            "# TYPE a counter\na{x=\"\\t\"} 1\n",
            "# TYPE a counter\na{x=\"1\",x=\"2\"} 1\n",
            "# TYPE a counter\na{x=\"1} 1\n",
            "# TYPE a counter\na one\n",
            "# TYPE a histogram\na_bucket{le=\"1\"} 1\na_sum 1\na_count 1\n",
            "# TYPE a histogram\na_bucket{le=\"+Inf\"} 1\na_sum 1\na_count 2\n",
            "# TYPE a histogram\na_bucket{le=\"1\"} 2\na_bucket{le=\"+Inf\"} 1\na_sum 1\na_count 1\n",
            &format!("{counter}a{{1x=\"\"}} 1\n"),
        ] {
            assert!(Exposition::read(wrong).is_err(), "{wrong}");
        }
    }
}
