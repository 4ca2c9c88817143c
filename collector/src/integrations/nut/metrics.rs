//! What is told about a UPS.

use schemas::{MetricDef, catalog::Unit};

pub(super) static METRICS: &[MetricDef] = &[
    MetricDef::state(
        "ups",
        "communication",
        "ok, stale when the UPS does not answer its driver, or no driver",
    ),
    MetricDef::state(
        "ups",
        "old_communication",
        "its communication before it changed",
    ),
    MetricDef::state(
        "ups",
        "status",
        "flags as NUT writes them: OL on line, OB on battery, LB battery low, RB replace battery, CHRG, DISCHRG, BYPASS, OVER, FSD …",
    ),
    MetricDef::state("ups", "old_status", "its status before it changed"),
    MetricDef::flag("ups", "on_battery", "whether the mains fail (OB)"),
    MetricDef::flag(
        "ups",
        "low_battery",
        "whether the battery is nearly empty (LB)",
    ),
    MetricDef::flag(
        "ups",
        "replace_battery",
        "whether it wants a new battery (RB)",
    ),
    MetricDef::flag("ups", "overloaded", "whether too much hangs on it (OVER)"),
    MetricDef::flag("ups", "bypassed", "whether the mains go past it (BYPASS)"),
    MetricDef::flag(
        "ups",
        "shutting_down",
        "whether those who hang on it are told to shut down (FSD)",
    ),
    MetricDef::gauge(
        "ups",
        "load_ratio",
        Unit::Ratio,
        "share of what it can give that is taken; above 1 it is overloaded",
    ),
    MetricDef::gauge(
        "ups",
        "power_watts",
        Unit::Watts,
        "real power that is taken",
    ),
    MetricDef::gauge(
        "ups",
        "power_nominal_watts",
        Unit::Watts,
        "real power that it can give",
    ),
    MetricDef::gauge(
        "ups",
        "temperature_celsius",
        Unit::Celsius,
        "its temperature",
    ),
    MetricDef::gauge(
        "ups",
        "battery_charge_ratio",
        Unit::Ratio,
        "how full the battery is",
    ),
    MetricDef::gauge(
        "ups",
        "battery_runtime_seconds",
        Unit::Seconds,
        "how long the battery lasts at this load",
    ),
    MetricDef::gauge(
        "ups",
        "battery_volts",
        Unit::Volts,
        "voltage of the battery",
    ),
    MetricDef::gauge(
        "ups",
        "battery_current_amperes",
        Unit::Amperes,
        "current of the battery",
    ),
    MetricDef::gauge(
        "ups",
        "battery_temperature_celsius",
        Unit::Celsius,
        "temperature of the battery",
    ),
    MetricDef::gauge("ups", "input_volts", Unit::Volts, "voltage of the mains"),
    MetricDef::gauge(
        "ups",
        "input_current_amperes",
        Unit::Amperes,
        "current from the mains",
    ),
    MetricDef::gauge(
        "ups",
        "input_frequency_hertz",
        Unit::Hertz,
        "frequency of the mains",
    ),
    MetricDef::gauge("ups", "output_volts", Unit::Volts, "voltage that it gives"),
    MetricDef::gauge(
        "ups",
        "output_current_amperes",
        Unit::Amperes,
        "current that it gives",
    ),
    MetricDef::gauge(
        "ups",
        "output_frequency_hertz",
        Unit::Hertz,
        "frequency that it gives",
    ),
    MetricDef::gauge(
        "ups",
        "ambient_temperature_celsius",
        Unit::Celsius,
        "temperature around it, where it has a sensor for that",
    ),
    MetricDef::gauge(
        "ups",
        "ambient_humidity_ratio",
        Unit::Ratio,
        "relative humidity around it, where it has a sensor for that",
    ),
    MetricDef::state("ups", "test_result", "what came of its last test"),
    MetricDef::state("ups", "alarm", "what it complains of"),
    MetricDef::state(
        "ups",
        "transfer_reason",
        "why it last went from the mains to the battery or back",
    ),
];
