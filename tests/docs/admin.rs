//! Admin pages, from their table.

use egret_proxy::admin::page::Verb;
use egret_proxy::admin::pages::{HOST_RULE, PAGES};

use crate::{header, row};

pub(crate) fn page() -> String {
    let mut text = "# Admin pages\n\n\
        Served on 127.0.0.1:15000, or where `--admin` says, without authentication. Each page is text; `?format=json` gives JSON.\n\n"
        .to_owned();
    text += &header(["page", "what"]);
    for page in PAGES {
        let post = match page.verb {
            Verb::Get => "",
            Verb::Post => " (POST)",
        };
        text += &row([&format!("`{}`{post}", page.path), page.about]);
    }
    text += &format!("\n## Which requests are answered\n\n{HOST_RULE}\n\n## Health\n\n");
    text += "The health address (0.0.0.0:15021, or `--health`) serves `/healthz/ready` alone, whatever the `Host`: 200 once the \
        configuration is in force and the listeners are open, 503 before and while draining.\n";
    text
}
