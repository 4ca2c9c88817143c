//! Roles and the kinds that they work with.

use crate::{
    lab::{run, steady},
    process::Process,
};

#[test]
fn roles_of_their_own_are_refused_on_embedded_kinds() {
    let kafka = "[log]\nkind = \"kafka\"\nbrokers = \"127.0.0.1:1\"\n";
    let influxdb =
        "[store]\nkind = \"influxdb\"\nurl = \"http://127.0.0.1:1\"\norg = \"o\"\ntoken = \"t\"\n";
    let hub = "[log]\nkind = \"http\"\nurl = \"http://127.0.0.1:1\"\ntoken = \"t\"\n";
    let mut told = String::new();
    for (role, config) in [
        ("collect", String::new()),
        ("ingest", String::new()),
        ("ingest", kafka.to_owned()),
        ("api", influxdb.to_owned()),
        ("api", format!("{kafka}{influxdb}")),
        ("up", hub.to_owned()),
        ("topics", String::new()),
        ("verify", hub.to_owned()),
    ] {
        let place = Process::new(&config);
        let file = place.config().display().to_string();
        let mut args = vec![role, "--config", &file];
        let data = place.path("data").display().to_string();
        if ["collect", "up", "verify"].contains(&role) {
            args.extend(["--data", &data]);
        }
        let (code, stdout, stderr) = run(&args);
        assert_eq!((code, stdout.as_str()), (64, ""), "{role}: {stderr}");
        assert!(!place.path("data").exists(), "nothing was made");
        told.push_str(&steady(&stderr, &[(&place.config(), "homelog.toml")]));
    }
    insta::assert_snapshot!(told);
}
