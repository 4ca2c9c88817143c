use std::{path::Path, time::Duration};

use super::*;

fn parse_with<const N: usize>(text: &str, env: [(&str, &str); N]) -> Result<Loaded, Problems> {
    parse("homelog.toml", text, Path::new("/nowhere"), &env.into())
}

fn messages<const N: usize>(text: &str, env: [(&str, &str); N]) -> Vec<String> {
    let found = parse_with(text, env).unwrap_err();
    found.list().iter().map(|p| p.message.clone()).collect()
}

#[test]
fn nothing_is_a_configuration() {
    let loaded = parse_with("", []).unwrap();
    assert_eq!(loaded.config.api.listen.to_string(), "127.0.0.1:3001");
    assert_eq!(loaded.config.retention.raw.0, Duration::from_hours(30 * 24));
    assert!(loaded.config.sources.is_empty() && loaded.warnings.is_empty());
}

#[test]
fn the_example_is_a_configuration_that_changes_nothing() {
    let loaded = parse_with(&example(), []).unwrap().config;
    let default = Config::default();
    assert_eq!(loaded.api, default.api);
    assert_eq!(loaded.retention, default.retention);
    assert!(loaded.sources.is_empty());
}

#[test]
fn five_mistakes_are_five_errors_each_with_its_line_and_a_fix() {
    let text = "\
[api]
lisen = \"127.0.0.1:3001\"

[retention]
events = \"7 days\"
max_disk = \"20GiB\"

[[source]]
name = \"server\"
kind = \"hots\"

[[source]]
name = \"server\"
kind = \"docker\"
";
    let problems = parse_with(text, []).unwrap_err();
    assert_eq!(problems.list().len(), 5);
    insta::assert_snapshot!(problems.render(Style::Plain));
}

#[test]
fn a_line_that_is_no_toml_does_not_hide_the_other_mistakes() {
    let text = "[api]\nlisten = \nhostz = []\n\n[retention]\nraw = \"1s\"\n";
    let problems = parse_with(text, []).unwrap_err();
    insta::assert_snapshot!(problems.render(Style::Plain));
}

#[test]
fn sections_that_are_misplaced_or_misspelt_are_told() {
    let found = messages(
        "listen = \"127.0.0.1:1\"\n[retension]\n[log]\nkind = \"kafka\"\n",
        [],
    );
    assert_eq!(
        found,
        [
            "there is no section `listen`",
            "there is no section `retension`",
            "`kind`: `kafka` is not part of this release",
        ]
    );
    assert_eq!(
        messages("source = 1\napi = 2", []),
        [
            "`source` is not a list of sections",
            "`api` is a whole number, not a section"
        ]
    );
}

#[test]
fn the_environment_wins_over_the_file() {
    let text = "[api]\nlisten = \"127.0.0.1:1\"\n[[source]]\nname = \"my-host\"\nkind = \"host\"\ninterval = \"5s\"\n";
    let config = parse_with(
        text,
        [
            ("HOMELOG_API__LISTEN", "0.0.0.0:9000"),
            ("HOMELOG_API__HOSTS", "a.example, b.example"),
            ("HOMELOG_RETENTION__RAW", "2d"),
            ("HOMELOG_SOURCE__MY_HOST__INTERVAL", "1m"),
            ("HOMELOG_SOURCE__DOCKER2__KIND", "docker"),
            ("HOMELOG_LOG", "debug"),
            ("UNRELATED", "x"),
        ],
    )
    .unwrap()
    .config;
    assert_eq!(config.api.listen.to_string(), "0.0.0.0:9000");
    let hosts: Vec<_> = config.api.hosts.iter().map(HostName::as_str).collect();
    assert_eq!(hosts, ["a.example", "b.example"]);
    assert_eq!(config.retention.raw.0, Duration::from_hours(48));
    let sources: Vec<_> = config
        .sources
        .iter()
        .map(|s| (s.name.as_str(), s.integration.kind().as_str(), s.interval))
        .collect();
    assert_eq!(
        sources,
        [
            ("my-host", "host", Duration::from_mins(1)),
            ("docker2", "docker", config.sources[1].interval),
        ]
    );
}

#[test]
fn mistakes_in_the_environment_name_the_variable() {
    let problems = parse_with(
        "",
        [
            ("HOMELOG_API__LISTEN", "somewhere"),
            ("HOMELOG_API__LISSEN", "127.0.0.1:1"),
            ("HOMELOG_APY__LISTEN", "127.0.0.1:1"),
            ("HOMELOG_ADMIN_PASWORD", "hunter2hunter2"),
            ("HOMELOG_SOURCE__NAS1", "x"),
            ("HOMELOG_SOURCE__NAS1__INTERVAL", "5s"),
        ],
    )
    .unwrap_err();
    let text = problems.render(Style::Plain);
    assert!(!text.contains("hunter2"), "a secret is shown: {text}");
    insta::assert_snapshot!(text);
}

#[test]
fn a_variable_that_may_come_from_elsewhere_is_a_warning() {
    let loaded = parse_with("", [("HOMELOG_SERVICE_HOST", "10.0.0.1")]).unwrap();
    assert_eq!(loaded.warnings.len(), 1);
    assert!(loaded.warnings[0].contains("HOMELOG_SERVICE_HOST"));
}

#[test]
fn an_option_can_come_from_a_file() {
    let dir = tempfile::tempdir().unwrap();
    std::fs::write(dir.path().join("url"), "unix:///run/docker.sock\n").unwrap();
    let read = |text: &str| {
        let text = format!("[[source]]\nname = \"d\"\nkind = \"docker\"\n{text}");
        parse("homelog.toml", &text, dir.path(), &Env::default())
    };
    assert_eq!(read("url_file = \"url\"").unwrap().config.sources.len(), 1);
    let refused = |text: &str| {
        let problems = read(text).unwrap_err();
        assert_eq!(problems.list().len(), 1, "{problems:?}");
        problems.list()[0].message.clone()
    };
    let missing = refused("url_file = \"nope\"");
    assert!(missing.contains("nope cannot be read"), "{missing}");
    let both = refused("url = \"unix:///x\"\nurl_file = \"url\"");
    assert_eq!(both, "`url` and `url_file` are both set");
}

#[test]
fn options_of_a_source_are_told_all_at_once() {
    let text = "[[source]]\nname = \"d\"\nkind = \"docker\"\nurl = 7\ncolour = \"red\"\nintervall = \"5s\"\ntimeout = \"1d\"\n";
    let problems = parse_with(text, []).unwrap_err();
    insta::assert_snapshot!(problems.render(Style::Plain));
}

#[test]
fn an_option_with_which_its_integration_cannot_begin_is_told_with_its_line() {
    let text = "[[source]]\nname = \"d\"\nkind = \"docker\"\nurl = \"ftp://x\"\n\n[[source]]\nname = \"h\"\nkind = \"host\"\nslow_interval = \"never\"\n";
    let problems = parse_with(text, []).unwrap_err();
    insta::assert_snapshot!(problems.render(Style::Plain));
}

#[test]
fn hostile_text_is_an_error_and_no_panic() {
    for text in [
        "\u{0}",
        "[[source]]\n[[source]]",
        "[source]",
        "source = [1, \"x\"]",
        "a.b.c.d = 1",
        "[api]\nlisten = [[[]]]",
        "[api.listen.x]",
        "[[api]]",
        "ü = \"ü\"",
        "[api]\nlisten = \"\u{1b}[2J\"",
        "\"\" = 1",
    ] {
        let shown = parse_with(text, []).unwrap_err().render(Style::Plain);
        assert!(
            !shown.contains('\u{1b}') || text.contains('\u{1b}'),
            "{shown}"
        );
    }
    let deep = format!("x = {}", "[".repeat(100_000));
    assert!(parse_with(&deep, []).is_err());
}
