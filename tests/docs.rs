//! Generated pages are committed; one that is stale fails here. `UPDATE=1 cargo test --test docs` writes them anew.

use std::path::Path;

use nextcloud_mcp_server::config;

/// Compares a committed file with what the tables say now.
fn assert_current(path: &str, expected: &str) {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join(path);
    if std::env::var_os("UPDATE").is_some() {
        assert!(std::env::var_os("CI").is_none(), "UPDATE is not for CI: it would hide a stale {path}");
        std::fs::write(&file, expected).unwrap_or_else(|e| panic!("{path}: {e}"));
        return;
    }
    let found = std::fs::read_to_string(&file).unwrap_or_else(|e| panic!("{path}: {e}"));
    if let Some((n, (found, expected))) =
        found.lines().zip(expected.lines()).enumerate().find(|(_, (found, expected))| found != expected)
    {
        panic!("{path}:{} is stale; run UPDATE=1 cargo test --test docs\n- {found}\n+ {expected}", n + 1);
    }
    assert!(found == expected, "{path} is stale at its end; run UPDATE=1 cargo test --test docs");
}

#[test]
fn the_configuration_page_is_current() {
    assert_current("docs/configuration.md", &config::markdown());
}

#[test]
fn the_sample_environment_is_current() {
    assert_current("env.sample", &config::env_sample());
}

/// Every `](target)` of a page; none in code.
fn links(page: &str) -> Vec<&str> {
    let text = page.split("```").step_by(2);
    text.flat_map(|text| text.split("](").skip(1)).filter_map(|rest| Some(rest.split_once(')')?.0)).collect()
}

fn pages(folder: &Path, found: &mut Vec<std::path::PathBuf>) {
    for entry in std::fs::read_dir(folder).expect("a folder") {
        let path = entry.expect("an entry").path();
        if path.is_dir() {
            pages(&path, found);
        } else if path.extension().is_some_and(|extension| extension == "md") {
            found.push(path);
        }
    }
}

#[test]
fn every_link_to_a_file_leads_to_one() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut found = vec![root.join("README.md")];
    pages(&root.join("docs"), &mut found);
    for page in found {
        let text = std::fs::read_to_string(&page).expect("a page");
        for link in links(&text).into_iter().filter(|link| !link.contains("://")) {
            let file = link.split('#').next().unwrap_or_default();
            let there = file.is_empty() || page.parent().expect("a folder").join(file).exists();
            assert!(there, "{}: {link} leads nowhere", page.display());
        }
    }
}

#[test]
fn every_json_of_the_connection_pages_can_be_pasted() {
    let mut found = Vec::new();
    pages(&Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/connect"), &mut found);
    let texts = found.iter().map(|page| std::fs::read_to_string(page).expect("a page"));
    let blocks: Vec<String> = texts
        .flat_map(|text| {
            let code = text.split("```").skip(1).step_by(2);
            code.filter_map(|code| code.strip_prefix("json\n")).map(str::to_owned).collect::<Vec<_>>()
        })
        .collect();
    assert!(blocks.len() >= 7, "{blocks:?}");
    for block in blocks {
        serde_json::from_str::<serde_json::Value>(&block).unwrap_or_else(|error| panic!("{error}: {block}"));
    }
}
