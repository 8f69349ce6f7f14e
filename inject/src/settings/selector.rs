//! Kubernetes' label selectors.

use serde_json::{Map, Value};

use crate::tree::elements;

/// A label selector.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Selector {
    requirements: Vec<Requirement>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
struct Requirement {
    key: String,
    operator: Operator,
    values: Vec<String>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Operator {
    In,
    NotIn,
    Exists,
    DoesNotExist,
}

impl Selector {
    /// Reads `matchLabels` and `matchExpressions`.
    ///
    /// # Errors
    /// What is expected.
    pub fn read(value: &Value) -> Result<Self, &'static str> {
        const EXPECTED: &str = "expected label selectors with matchLabels and matchExpressions";
        let object = value.as_object().ok_or(EXPECTED)?;
        let mut requirements = Vec::new();
        for (key, value) in object {
            match key.as_str() {
                "matchLabels" => {
                    for (key, value) in value.as_object().ok_or(EXPECTED)? {
                        requirements.push(Requirement {
                            key: key.clone(),
                            operator: Operator::In,
                            values: vec![value.as_str().ok_or(EXPECTED)?.to_owned()],
                        });
                    }
                }
                "matchExpressions" => {
                    for expression in elements(Some(value)) {
                        requirements.push(Requirement::read(expression).ok_or(EXPECTED)?);
                    }
                }
                _ => return Err(EXPECTED),
            }
        }
        Ok(Self { requirements })
    }

    /// Whether labels meet all requirements. An empty selector selects nothing.
    pub fn selects(&self, labels: Option<&Map<String, Value>>) -> bool {
        !self.requirements.is_empty() && self.requirements.iter().all(|one| one.is_met(labels))
    }
}

impl Requirement {
    fn read(expression: &Value) -> Option<Self> {
        let values = elements(expression.get("values"));
        Some(Self {
            key: expression.get("key")?.as_str()?.to_owned(),
            operator: match expression.get("operator")?.as_str()? {
                "In" => Operator::In,
                "NotIn" => Operator::NotIn,
                "Exists" => Operator::Exists,
                "DoesNotExist" => Operator::DoesNotExist,
                _ => return None,
            },
            values: values
                .iter()
                .filter_map(|one| Some(one.as_str()?.to_owned()))
                .collect(),
        })
    }

    fn is_met(&self, labels: Option<&Map<String, Value>>) -> bool {
        let own = labels
            .and_then(|labels| labels.get(&self.key))
            .and_then(Value::as_str);
        let is_listed = || own.is_some_and(|own| self.values.iter().any(|value| value == own));
        match self.operator {
            Operator::In => is_listed(),
            Operator::NotIn => !is_listed(),
            Operator::Exists => own.is_some(),
            Operator::DoesNotExist => own.is_none(),
        }
    }
}
