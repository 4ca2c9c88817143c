//! Against variables of real UPS, where they are at hand: each file is served as the variables of one UPS. Half of them are
//! lists of types, of which no value can be read.

use std::collections::BTreeSet;

use super::*;

const CYBERPOWER: &str = "OL 16 0.13 1 4020 228";
const FAKE: &str = "OL 16 0.23 1 600 242";
/// Only that it answers, and the type of a text.
const TYPES: &str = "- 2 - - - -";
const NOTHING: &str = "- 1 - - - -";

/// What is told: status, how many fields, load, charge, runtime, mains.
const FILES: &[(&str, &str)] = &[
    (
        "CyberPowerSystems_CP900EPFCLCD_additional_types.dev.txt",
        TYPES,
    ),
    (
        "CyberPowerSystems_CP900EPFCLCD_additional_variables.dev.txt",
        CYBERPOWER,
    ),
    ("CyberPowerSystems_CP900EPFCLCD_types.dev.txt", TYPES),
    (
        "CyberPowerSystems_CP900EPFCLCD_variables.dev.txt",
        CYBERPOWER,
    ),
    ("fake_force_float_types.dev.txt", NOTHING),
    ("fake_force_float_variables.dev.txt", FAKE),
    ("fake_force_float_with_string_types.dev.txt", NOTHING),
    ("fake_force_float_with_string_variables.dev.txt", FAKE),
    ("fake_types.dev.txt", NOTHING),
    ("fake_variables.dev.txt", FAKE),
];

#[tokio::test]
async fn every_recorded_ups_is_told() {
    let Some(dir) = testing::recordings("next_nut") else {
        return;
    };
    let files: BTreeSet<_> = std::fs::read_dir(&dir)
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    assert!(!files.is_empty());
    let named: BTreeSet<_> = FILES.iter().map(|(file, _)| (*file).to_owned()).collect();
    assert_eq!(files, named, "each file has its line here");
    for (file, expected) in FILES {
        let fake = Fake::start().await;
        fake.ups("a", &std::fs::read_to_string(dir.join(file)).unwrap());
        let told = poll(&mut open(&fake)).await;
        assert_eq!(told.len(), 1);
        let fields = &told[0].fields;
        let field = |name| fields.get(name).map_or("-".to_owned(), ToString::to_string);
        let line = format!(
            "{} {} {} {} {} {}",
            field("status"),
            fields.len(),
            field("load_ratio"),
            field("battery_charge_ratio"),
            field("battery_runtime_seconds"),
            field("input_volts")
        );
        println!("{file:60} {line}");
        assert_eq!(line, *expected, "{file}");
    }
    println!("{} files", FILES.len());
}
