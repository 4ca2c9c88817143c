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
    assert_eq!(loaded.log, default.log);
    assert_eq!(loaded.store, default.store);
    assert_eq!(loaded.control, default.control);
    assert_eq!(loaded.collect, default.collect);
    assert_eq!(loaded.ingest, default.ingest);
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
        "listen = \"127.0.0.1:1\"\n[retension]\n[log]\nkind = \"redis\"\n",
        [],
    );
    assert_eq!(
        found,
        [
            "there is no section `listen`",
            "there is no section `retension`",
            "`kind`: `redis` is not one of its values",
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
    let written = parse_with("", [("HOMELOG_API__HOSTS", r#"["a.example"]"#)]);
    assert_eq!(written.unwrap().config.api.hosts[0].as_str(), "a.example");
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

const SERVERS: &str = r#"
[log]
kind = "kafka"
brokers = "kafka-1, kafka-2:19092"
username = "homelog"
password_file = "kafka-password"
tls = { ca = "ca.pem" }
replication = 3

[store]
kind = "influxdb"
url = "https://influxdb.lan:8086/"
org = "homelab"
token_file = "influx-token"
tls = { fingerprint = "sha256:AB:CD:EF:01:23:45:67:89:ab:cd:ef:01:23:45:67:89:ab:cd:ef:01:23:45:67:89:ab:cd:ef:01:23:45:67:89" }

[control]
kind = "postgres"
url_file = "postgres-url"

[ingest]
workers = 2
listen = "0.0.0.0:3002"
"#;

fn servers_dir() -> tempfile::TempDir {
    let dir = tempfile::tempdir().unwrap();
    for (name, content) in [
        ("kafka-password", "hunter2"),
        ("influx-token", "influx-secret"),
        ("postgres-url", "postgres://homelog:pg-secret@db/homelog"),
        ("ca.pem", "-----BEGIN CERTIFICATE-----\n"),
    ] {
        std::fs::write(dir.path().join(name), format!("{content}\n")).unwrap();
    }
    dir
}

#[test]
fn servers_are_named_with_their_secrets_in_files() {
    use secrecy::ExposeSecret;
    let dir = servers_dir();
    let env = Env::from([
        ("HOMELOG_STORE__TOKEN", "from-the-environment"),
        ("HOMELOG_STORE__BUCKET", "lab"),
        ("HOMELOG_STORE__TLS__INSECURE", "true"),
        ("HOMELOG_LOG__PARTITIONS", "12"),
    ]);
    let text = SERVERS.replace("tls = { fingerprint", "# tls = { fingerprint");
    let config = parse("homelog.toml", &text, dir.path(), &env)
        .unwrap_or_else(|problems| panic!("{}", problems.render(Style::Plain)))
        .config;
    assert_eq!(config.log.kind, LogKind::Kafka);
    assert_eq!(config.log.brokers.as_str(), "kafka-1:9092,kafka-2:19092");
    assert_eq!(config.log.tls, Tls::Ca(dir.path().join("ca.pem")));
    assert_eq!(config.log.partitions.get(), 12);
    let password = config.log.password.as_ref().unwrap();
    assert_eq!(password.get().expose_secret(), "hunter2");
    assert_eq!(config.store.url.as_str(), "https://influxdb.lan:8086");
    assert_eq!(config.store.bucket.as_str(), "lab");
    assert_eq!(config.store.tls, Tls::Insecure);
    assert_eq!(
        config.store.token.get().expose_secret(),
        "from-the-environment",
        "the environment wins over a file that the config names"
    );
    assert!(
        config
            .control
            .url
            .get()
            .expose_secret()
            .ends_with("@db/homelog")
    );
    assert_eq!(config.ingest.workers.get(), 2);
    let shown = format!("{config:?}");
    for secret in ["hunter2", "pg-secret", "from-the-environment"] {
        assert!(!shown.contains(secret), "{shown}");
    }
}

#[test]
fn a_fingerprint_is_read_however_it_is_written() {
    let dir = servers_dir();
    let loaded = parse("homelog.toml", SERVERS, dir.path(), &Env::default()).unwrap();
    let Tls::Fingerprint(print) = loaded.config.store.tls else {
        panic!("{:?}", loaded.config.store.tls);
    };
    assert_eq!(
        print.to_string(),
        format!("sha256:{}", "abcdef0123456789".repeat(4))
    );
}

#[test]
fn a_certificate_is_not_judged_on_a_plain_connection() {
    let dir = servers_dir();
    let plain = SERVERS.replace("https://influxdb", "http://influxdb");
    let problems = parse("homelog.toml", &plain, dir.path(), &Env::default()).unwrap_err();
    let text = problems.render(Style::Plain);
    assert!(text.contains("`[store] url` begins with http://"), "{text}");
    assert!(text.contains("write https:// in `url`"), "{text}");
    let off = plain.replace("tls = { fingerprint", "tls = false # { fingerprint");
    assert!(parse("homelog.toml", &off, dir.path(), &Env::default()).is_ok());
    let hub = "[log]\nkind = \"http\"\nurl = \"http://hub:3001\"\ntoken = \"t\"\ntls = { insecure = true }\n";
    let problems = parse("homelog.toml", hub, dir.path(), &Env::default()).unwrap_err();
    let text = problems.render(Style::Plain);
    assert!(text.contains("`[log] url` begins with http://"), "{text}");
}

#[test]
fn options_of_another_kind_are_told_with_the_kind() {
    let text = r#"
[log]
brokers = "kafka:9092"
token_file = "nowhere"

[store]
kind = "influxdb"
url = "influxdb:8086"
brokers = "kafka:9092"

[control]
url = "postgres://homelog:pg-secret@db/homelog"
"#;
    let shown = parse_with(text, []).unwrap_err().render(Style::Plain);
    assert!(!shown.contains("pg-secret"), "a secret is shown: {shown}");
    insta::assert_snapshot!(shown);
}

#[test]
fn what_does_not_fit_together_is_told() {
    let text = r#"
[log]
kind = "kafka"
brokers = "http://kafka:9092"
username = "homelog"
tls = { insecure = true }
partitions = 1000
mechanism = "scram"

[store]
kind = "influxdb"
url = "http://influxdb:8086"
org = "homelab"
token_file = "nowhere"
tls = { ca = "nowhere.pem", insecure = true }

[control]
kind = "postgres"
url = "mysql://db"
ca = "nowhere.pem"

[collect]
spool_max_size = "lots"

[ingest]
workers = 0
group = "a b"
"#;
    insta::assert_snapshot!(parse_with(text, []).unwrap_err().render(Style::Plain));
}

#[test]
fn what_a_kind_needs_is_told_also_when_all_comes_from_the_environment() {
    let problems = parse_with(
        "",
        [
            ("HOMELOG_LOG__KIND", "http"),
            ("HOMELOG_LOG__URL", "https://hub"),
            ("HOMELOG_LOG__BROKERS", "kafka"),
        ],
    )
    .unwrap_err();
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
