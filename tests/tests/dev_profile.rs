//! The compose profile `dev` reads the mock services that it starts: its config is what they say of themselves.

#![expect(
    clippy::unwrap_used,
    reason = "what a test reads is there, or the test says where it is not"
)]

use std::collections::BTreeMap;

use homelog_tests::{simulator::Simulator, workspace, yaml};

fn sources(config: &str) -> BTreeMap<String, toml::Table> {
    let config: toml::Table = config.parse().unwrap();
    let all = config.get("source").unwrap().as_array().unwrap().iter();
    all.map(|source| {
        let source = source.as_table().unwrap().clone();
        let name = source.get("name").unwrap().as_str().unwrap();
        (name.to_owned(), source)
    })
    .collect()
}

#[test]
fn the_sources_of_the_profile_are_those_that_its_services_tell() {
    let compose = yaml::read(&workspace().join("docker-compose.yml")).unwrap();
    let command = &compose["services"]["dev-services"]["command"];
    let after = |option: &str| {
        let words: Vec<_> = command.as_array().unwrap().iter().collect();
        let at = words.iter().position(|word| **word == option).unwrap();
        words[at + 1].as_str().unwrap().to_owned()
    };
    let simulator = Simulator::start(&["--seed", &after("--seed")]).unwrap();
    let base: u16 = after("--base-port").parse().unwrap();
    let told = sources(simulator.told["config"].as_str().unwrap());

    // the same, at the ports that follow each other in the container
    let config: toml::Table = simulator.told["config"].as_str().unwrap().parse().unwrap();
    let order: Vec<_> = config["source"]
        .as_array()
        .unwrap()
        .iter()
        .map(|source| source["name"].as_str().unwrap().to_owned())
        .collect();
    let file = workspace().join("infra/docker/dev/homelog.toml");
    let written = sources(&std::fs::read_to_string(file).unwrap());
    assert_eq!(
        written.keys().collect::<Vec<_>>(),
        told.keys().collect::<Vec<_>>()
    );
    for (name, source) in &told {
        let place = order.iter().position(|one| one == name).unwrap();
        let port = base + u16::try_from(place).unwrap();
        for (key, value) in source {
            let own = written[name].get(key).unwrap();
            match key.as_str() {
                "url" => {
                    let told = value.as_str().unwrap();
                    let (scheme, rest) = told.split_once("://").unwrap();
                    let path = rest.split_once('/').map_or("", |(_, path)| path);
                    let slash = if path.is_empty() { "" } else { "/" };
                    let wanted = format!("{scheme}://dev-services:{port}{slash}{path}");
                    assert_eq!(own.as_str(), Some(wanted.as_str()), "{name}");
                }
                // each start makes another certificate
                "tls" => assert_eq!(own["insecure"].as_bool(), Some(true), "{name}"),
                _ => assert_eq!(own, value, "{name} {key}"),
            }
        }
    }
}
