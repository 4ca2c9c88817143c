//! `homelog topics`: makes the topics that are missing, and tells where those that are there differ. Never changes one.

use event_log::kafka::{TopicReport, check_topics};
use prometheus_client::registry::Registry;

use super::user::say;
use crate::{adapters::log, cli::TopicsArgs, config::LogKind, env::Env, outcome::Failure, place};

pub(crate) async fn run(args: &TopicsArgs, env: &Env) -> Result<(), Failure> {
    let config = place::load(Some(&args.role.config), env)?;
    if config.log.kind != LogKind::Kafka {
        return Err(Failure::usage(format!(
            "homelog: the event log in {} is of kind \"{}\", which has no topics",
            args.role.config.display(),
            config.log.kind.as_str()
        )));
    }
    let options = log::kafka_options(&config, &mut Registry::default());
    let reports = check_topics(&options, !args.dry_run).await?;
    let mut differences = 0;
    for report in &reports {
        say(&line(report))?;
        for difference in &report.differences {
            differences += 1;
            say(&format!(
                "    {} is {}, the configuration wants {}",
                difference.setting, difference.found, difference.wanted
            ))?;
        }
    }
    if differences > 0 {
        say(
            "\nHomelog changes no topic that is there. Change it with kafka-configs.sh, or the configuration to what it is;",
        )?;
        say(
            "the number of partitions must stay as it is, since it decides where a source's events are.",
        )?;
        return Err(Failure::Told);
    }
    if reports.iter().any(|report| !report.exists) {
        return Err(Failure::Told);
    }
    Ok(())
}

fn line(report: &TopicReport) -> String {
    let name = &report.name;
    if !report.exists {
        return format!("{name}: missing");
    }
    let state = match (report.made, report.differences.is_empty()) {
        (true, _) => "made",
        (false, true) => "as it should be",
        (false, false) => "differs",
    };
    let plural = |count: usize, one: &str, more: &str| {
        format!("{count} {}", if count == 1 { one } else { more })
    };
    format!(
        "{name}: {state}, {}, {}",
        plural(report.partitions, "partition", "partitions"),
        plural(report.replication, "copy", "copies")
    )
}
