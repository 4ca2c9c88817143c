//! What options say together: each is fine alone, and they do not fit.

use toml::de::DeTable;

use super::{findings::Findings, setting::Value};

fn find<'t, 'i>(root: &'t DeTable<'i>, section: &str, key: &str) -> Option<&'t Value<'i>> {
    root.get(section)?.get_ref().as_table()?.get(key)
}

fn is_text(value: Option<&Value<'_>>, text: &str) -> bool {
    value.is_some_and(|value| value.get_ref().as_str() == Some(text))
}

/// A way to judge a certificate for a server that shows none.
fn plain_with_tls(root: &DeTable<'_>, section: &str, findings: &mut Findings) {
    let is_plain = find(root, section, "url")
        .and_then(|url| url.get_ref().as_str())
        .and_then(|url| url.trim().split_once("://"))
        .is_some_and(|(scheme, _)| scheme.eq_ignore_ascii_case("http"));
    let Some(tls) = find(root, section, "tls").filter(|_| is_plain) else {
        return;
    };
    // `false` says what the address says
    if tls.get_ref().as_bool() != Some(false) {
        findings.add(
            tls.span(),
            format!(
                "`[{section}] url` begins with http://, where there is no certificate to judge"
            ),
            "write https:// in `url`, or remove this line",
        );
    }
}

/// Looks at the whole document, before its sections are taken out.
pub(super) fn check(root: &DeTable<'_>, findings: &mut Findings) {
    for (one, other) in [("certificate", "key"), ("key", "certificate")] {
        if let (Some(found), None) = (find(root, "api", one), find(root, "api", other)) {
            findings.add(
                found.span(),
                format!("`{one}` has no `{other}`"),
                format!("add a line {other} = \"…\", or remove it"),
            );
        }
    }
    for section in ["log", "store"] {
        // the database of users has `tls` in its address
        plain_with_tls(root, section, findings);
    }
    let kafka = is_text(find(root, "log", "kind"), "kafka");
    if !kafka {
        return;
    }
    let username = find(root, "log", "username");
    let password = find(root, "log", "password").or_else(|| find(root, "log", "password_file"));
    match (username, password) {
        (Some(name), None) => findings.add(
            name.span(),
            "`username` has no `password`",
            "add a line password_file = \"…\", or remove it",
        ),
        (None, Some(password)) => findings.add(
            password.span(),
            "there is a password and no `username`",
            "add a line username = \"…\", or remove it",
        ),
        _ => {}
    }
    let tls = find(root, "log", "tls").and_then(|tls| tls.get_ref().as_table());
    for way in ["fingerprint", "insecure"] {
        if let Some(found) = tls.and_then(|tls| tls.get(way)) {
            findings.add(
                found.span(),
                format!("Kafka's client cannot judge certificates by `{way}`"),
                "write tls = { ca = \"file.pem\" } with the certificate itself, or that of its authority, in the file",
            );
        }
    }
}
