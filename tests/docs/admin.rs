//! Admin pages, from the help page.

use egret_proxy::admin::pages::{HELP, HOST_RULE};

use crate::{header, row};

pub(crate) fn page() -> String {
    let mut text = "# Admin pages\n\n\
        Served on 127.0.0.1:15000, or where `--admin` says, without authentication. Each page is text; `?format=json` gives JSON.\n\n"
        .to_owned();
    text += &header(["page", "what"]);
    let mut pages: Vec<(String, String)> = Vec::new();
    for line in HELP.lines().skip(1) {
        match line.strip_prefix("  /") {
            Some(page) => {
                let (path, about) = page.split_once("  ").unwrap_or((page, ""));
                pages.push((format!("`/{}`", path.trim()), about.trim().to_owned()));
            }
            None => {
                if let Some((_, about)) = pages.last_mut() {
                    about.push(' ');
                    about.push_str(line.trim());
                }
            }
        }
    }
    assert!(
        pages.len() > 5,
        "the help page lists the pages, two blanks before each"
    );
    for (path, about) in pages {
        text += &row([&path, &about]);
    }
    text += &format!("\n## Which requests are answered\n\n{HOST_RULE}\n\n## Health\n\n");
    text += "The health address (0.0.0.0:15021, or `--health`) serves `/healthz/ready` alone, whatever the `Host`: 200 once the \
        configuration is in force and the listeners are open, 503 before and while draining.\n";
    text
}
