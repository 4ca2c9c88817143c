//! The variables of one UPS and what they are here.

use std::collections::BTreeMap;

use schemas::{
    Entity, Fields,
    name::{EntityId, EntityType},
};

use crate::wire::{clean, number_in};

/// Most characters of a text.
const LONGEST_TEXT: usize = 250;
/// What upsd says of a UPS that nobody described.
const NO_DESCRIPTION: &str = "Description unavailable";

/// Numbers: our name, theirs, what to multiply with, and the bounds within which it is believed.
const NUMBERS: &[(&str, &str, f64, (f64, f64))] = &[
    ("load_ratio", "ups.load", 0.01, (0.0, 10.0)),
    ("power_watts", "ups.realpower", 1.0, POSITIVE),
    (
        "power_nominal_watts",
        "ups.realpower.nominal",
        1.0,
        POSITIVE,
    ),
    ("temperature_celsius", "ups.temperature", 1.0, DEGREES),
    ("battery_charge_ratio", "battery.charge", 0.01, (0.0, 1.0)),
    ("battery_runtime_seconds", "battery.runtime", 1.0, POSITIVE),
    ("battery_volts", "battery.voltage", 1.0, POSITIVE),
    ("battery_current_amperes", "battery.current", 1.0, ANY),
    (
        "battery_temperature_celsius",
        "battery.temperature",
        1.0,
        DEGREES,
    ),
    ("input_volts", "input.voltage", 1.0, POSITIVE),
    ("input_current_amperes", "input.current", 1.0, ANY),
    ("input_frequency_hertz", "input.frequency", 1.0, POSITIVE),
    ("output_volts", "output.voltage", 1.0, POSITIVE),
    ("output_current_amperes", "output.current", 1.0, ANY),
    ("output_frequency_hertz", "output.frequency", 1.0, POSITIVE),
    (
        "ambient_temperature_celsius",
        "ambient.temperature",
        1.0,
        DEGREES,
    ),
    (
        "ambient_humidity_ratio",
        "ambient.humidity",
        0.01,
        (0.0, 1.0),
    ),
];
const POSITIVE: (f64, f64) = (0.0, 1e9);
const DEGREES: (f64, f64) = (-100.0, 1000.0);
const ANY: (f64, f64) = (-1e9, 1e9);

/// Flags of `ups.status` that have a field of their own.
const FLAGS: &[(&str, &str)] = &[
    ("on_battery", "OB"),
    ("low_battery", "LB"),
    ("replace_battery", "RB"),
    ("overloaded", "OVER"),
    ("bypassed", "BYPASS"),
    ("shutting_down", "FSD"),
];

/// What `ups.status` is made of; drivers add words of their own. `WAIT`, before the first word of the UPS, is none.
const KNOWN: &[&str] = &[
    "OL", "OB", "LB", "HB", "RB", "CHRG", "DISCHRG", "BYPASS", "CAL", "OFF", "OVER", "TRIM",
    "BOOST", "FSD", "ALARM", "TEST", "ECO",
];

/// Texts that are a state.
const STATES: &[(&str, &str)] = &[
    ("test_result", "ups.test.result"),
    ("alarm", "ups.alarm"),
    ("transfer_reason", "input.transfer.reason"),
];

/// What stands in labels; the first variable that is there counts.
const LABELS: &[(&str, &[&str])] = &[
    ("manufacturer", &["device.mfr", "ups.mfr"]),
    ("model", &["device.model", "ups.model"]),
    ("serial", &["device.serial", "ups.serial"]),
    ("firmware", &["ups.firmware"]),
    ("driver", &["driver.name"]),
    ("battery_type", &["battery.type"]),
    ("battery_date", &["battery.date", "battery.mfr.date"]),
];

/// Name to value, as upsd sends them.
pub(super) type Variables = BTreeMap<String, String>;

/// Of `LIST VAR ups`: rows of the UPS, a name and a value.
pub(super) fn of_rows(rows: Vec<Vec<String>>, ups: &str) -> Variables {
    rows.into_iter()
        .filter_map(|row| match <[String; 3]>::try_from(row) {
            Ok([of, name, value]) if of == ups => Some((name, value)),
            _ => None,
        })
        .collect()
}

/// The entity of a UPS, which is called as in `ups.conf`.
pub(super) fn entity(ups: &str, description: &str, variables: &Variables) -> Option<Entity> {
    let mut entity = Entity::new(EntityType::new("ups").ok()?, EntityId::new(ups).ok()?);
    if description != NO_DESCRIPTION {
        entity = entity.with_label(
            "name",
            &clean(description, LONGEST_TEXT).unwrap_or_default(),
        );
    }
    for (label, names) in LABELS {
        let value = names.iter().find_map(|name| text(variables, name));
        entity = entity.with_label(*label, &value.unwrap_or_default());
    }
    Some(entity)
}

/// `ups.status`: its flags, in their order; nothing as long as none of them says anything.
pub(super) fn status(variables: &Variables) -> Option<String> {
    let is_flag = |word: &str| {
        word.len() <= 16
            && word
                .chars()
                .all(|c| c.is_ascii_uppercase() || c.is_ascii_digit() || "-_".contains(c))
    };
    let flags: Vec<_> = variables
        .get("ups.status")?
        .split_whitespace()
        .filter(|word| is_flag(word))
        .take(16)
        .collect();
    let says_something = flags.iter().any(|flag| KNOWN.contains(flag));
    says_something.then(|| flags.join(" "))
}

/// All that is known of a UPS.
pub(super) fn fields(variables: &Variables) -> Fields {
    let mut fields = Fields::new();
    if let Some(status) = status(variables) {
        for (field, flag) in FLAGS {
            fields.set(*field, status.split(' ').any(|word| word == *flag));
        }
        fields.set_text("status", &status);
    }
    for (field, name, factor, (least, most)) in NUMBERS {
        if let Some(number) = number(variables, name).map(|number| number * factor)
            && (*least..=*most).contains(&number)
        {
            fields.set_rounded(*field, number, 4);
        }
    }
    for (field, name) in STATES {
        if let Some(text) = text(variables, name) {
            fields.set_text(*field, &text);
        }
    }
    fields
}

fn number(variables: &Variables, name: &str) -> Option<f64> {
    number_in(variables.get(name)?)
}

fn text(variables: &Variables, name: &str) -> Option<String> {
    clean(variables.get(name)?, LONGEST_TEXT)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn variables(pairs: &[(&str, &str)]) -> Variables {
        pairs
            .iter()
            .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
            .collect()
    }

    fn shown(pairs: &[(&str, &str)]) -> String {
        fields(&variables(pairs))
            .iter()
            .map(|(name, value)| format!("{name}={value}"))
            .collect::<Vec<_>>()
            .join(" ")
    }

    #[test]
    fn values_become_units_of_the_catalogue_and_what_cannot_be_is_left_out() {
        let told = shown(&[
            ("battery.charge", "85"),
            ("battery.runtime", "600.00"),
            ("battery.voltage", "13.4"),
            ("battery.current", "-1.5"),
            ("ups.load", "123"),
            ("ups.realpower", ""),
            ("input.voltage", "NUMBER"),
            ("output.voltage", "-3"),
            ("input.frequency", "inf"),
            ("output.frequency", &"5".repeat(40)),
            ("ambient.humidity", "101"),
            ("ups.temperature", "-7.5"),
            ("ups.test.result", "Done and passed"),
            ("ups.alarm", "\u{7}"),
            ("something.new", "1"),
        ]);
        assert_eq!(
            told,
            "battery_charge_ratio=0.85 battery_current_amperes=-1.5 battery_runtime_seconds=600 battery_volts=13.4 \
             load_ratio=1.23 temperature_celsius=-7.5 test_result=Done and passed"
        );
    }

    #[test]
    fn flags_are_told_one_by_one_and_absent_ones_only_where_there_is_a_status() {
        assert_eq!(
            shown(&[("ups.status", " OB  LB DISCHRG NEWER ")]),
            "bypassed=false low_battery=true on_battery=true overloaded=false replace_battery=false shutting_down=false \
             status=OB LB DISCHRG NEWER"
        );
        for none in ["", "STRING:64", "NUMBER", "ol", "WAIT"] {
            assert_eq!(shown(&[("ups.status", none)]), "", "{none}");
        }
        assert_eq!(shown(&[]), "");
    }

    #[test]
    fn a_ups_is_its_name_and_the_rest_is_labels() {
        let variables = variables(&[
            ("ups.mfr", "CPS"),
            ("device.mfr", "Cyber\u{1b}Power"),
            ("ups.model", "CP900"),
            ("battery.date", ""),
            ("battery.mfr.date", "2016-07-26"),
        ]);
        let ups = entity("ups1", "Rack", &variables).unwrap();
        let labels: Vec<_> = ups
            .labels
            .iter()
            .map(|(name, value)| format!("{name}={value}"))
            .collect();
        assert_eq!(
            labels,
            [
                "battery_date=2016-07-26",
                "manufacturer=CyberPower",
                "model=CP900",
                "name=Rack"
            ]
        );
        let ups = entity("ups1", NO_DESCRIPTION, &Variables::new()).unwrap();
        assert!(ups.labels.is_empty());
        assert!(entity("", "", &Variables::new()).is_none());
    }

    #[test]
    fn rows_of_another_ups_and_broken_ones_are_left_out() {
        let row = |words: &[&str]| words.iter().map(|word| (*word).to_owned()).collect();
        let read = of_rows(
            vec![
                row(&["a", "ups.load", "1"]),
                row(&["b", "ups.load", "2"]),
                row(&["a", "ups.model"]),
                row(&[]),
                row(&["a", "x", "y", "z"]),
            ],
            "a",
        );
        assert_eq!(read, variables(&[("ups.load", "1")]));
    }
}
