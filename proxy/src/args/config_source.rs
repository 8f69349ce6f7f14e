//! Where the configuration comes from.

/// The variable of `--config-source`, which injected pods have.
pub(in crate::args) const CONFIG_SOURCE: &str = "EGRET_CONFIG_SOURCE";

/// Checks the source: a proxy that passed over one that it cannot read would run without its policy.
///
/// # Errors
/// Any source but files, which are the only one that is implemented.
pub(in crate::args) fn supported(source: &str) -> Result<(), String> {
    match source.trim() {
        "" | "files" => Ok(()),
        planned @ ("kubernetes" | "hub") => Err(format!(
            "the configuration source {planned:?} ({CONFIG_SOURCE}, --config-source) is not implemented yet: use files with --config\n"
        )),
        other => Err(format!(
            "{other:?} ({CONFIG_SOURCE}, --config-source) is no configuration source: the only one is files\n"
        )),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_files_are_a_source() {
        for (source, expected) in [
            ("files", None),
            ("", None),
            ("kubernetes", Some("not implemented yet")),
            ("hub", Some("not implemented yet")),
            ("kubernete", Some("no configuration source")),
        ] {
            let error = supported(source).err();
            let fits = match (&error, expected) {
                (Some(error), Some(expected)) => error.contains(expected),
                (error, expected) => error.is_none() && expected.is_none(),
            };
            assert!(fits, "{source}: {error:?}");
        }
    }
}
