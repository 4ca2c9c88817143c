//! Every fault of every service: what its source says, that the others go on, and that it recovers by itself. What was seen is
//! the table of `docs/service-integrations/faults.md`.

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt::Write,
    path::PathBuf,
    time::{Duration, Instant},
};

use anyhow::{Context, Result, bail, ensure};
use homelog_tests::{lab::Lab, mock::Mock, simulator::Simulator, workspace};
use serde_json::Value;

/// As the mock services call them, as a person does, and what a source may say then.
const FAULTS: [(&str, &str, &[&str]); 9] = [
    ("slow", "an answer takes 2.5 s", &[GOES_ON, "timeout"]),
    ("server_error", "it answers 500", &["bad_answer"]),
    ("timeout", "it never answers", &["timeout"]),
    (
        "half_answer",
        "answers break off",
        &["unreachable", "bad_answer"],
    ),
    (
        "garbage",
        "answers are noise",
        &["bad_answer", "unreachable"],
    ),
    ("expired_session", "its session ends", &[GOES_ON]),
    ("wrong_certificate", "another certificate", &["tls"]),
    ("rate_limit", "too many requests", &["rate_limited"]),
    (
        "blocked_account",
        "the account is blocked",
        &["bad_credentials", "no_permission", "rate_limited"],
    ),
];
const GOES_ON: &str = "goes on";
/// How long a source may take to say what is wrong.
const TOLD: Duration = Duration::from_secs(40);
/// How long it may take to be up again after all is well.
const RECOVERED: Duration = Duration::from_secs(90);
/// How much has to be observed until a source is said to go on.
const GOES_ON_MS: i64 = 5000;
const LOOK: Duration = Duration::from_millis(250);

/// What a source says of itself.
#[derive(Clone, PartialEq, Eq, Debug)]
struct Said {
    up: bool,
    class: String,
    reason: String,
    last_event: i64,
}

async fn said(lab: &Lab) -> Result<BTreeMap<String, Said>> {
    let answer = lab.json("/api/v1/sources").await?;
    let sources = answer.get("sources").and_then(Value::as_array);
    Ok(sources
        .context("no sources")?
        .iter()
        .filter_map(|source| {
            let text = |key: &str| {
                let text = source.get(key).and_then(Value::as_str);
                text.unwrap_or_default().to_owned()
            };
            let said = Said {
                up: text("state") == "up",
                class: text("class"),
                reason: text("reason"),
                last_event: source.get("last_event").and_then(Value::as_i64)?,
            };
            Some((text("name"), said))
        })
        .collect())
}

/// Waits until something holds of what all sources say, and returns it.
async fn until(
    lab: &Lab,
    patience: Duration,
    what: &str,
    holds: impl Fn(&BTreeMap<String, Said>) -> bool,
) -> Result<BTreeMap<String, Said>> {
    let end = Instant::now() + patience;
    loop {
        let all = said(lab).await?;
        if holds(&all) {
            return Ok(all);
        }
        if Instant::now() > end {
            bail!(
                "not within {patience:?}: {what}: {all:#?}\n{}",
                lab.output()
            );
        }
        tokio::time::sleep(LOOK).await;
    }
}

/// The config of all sources, polled often and given up on soon; with `salt` it is another one for those named.
fn config(services: &[Mock], salted: &BTreeSet<String>, salt: i64) -> String {
    services
        .iter()
        .map(|service| {
            let more = if salted.contains(&service.name) {
                salt
            } else {
                0
            };
            service.source_with(&BTreeMap::from([
                ("interval", "2s".into()),
                ("timeout", format!("{}ms", 4000 + more).into()),
            ]))
        })
        .collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn each_fault_is_told_the_others_go_on_and_it_recovers() -> Result<()> {
    let simulator = Simulator::start(&["--seed", "3"])?;
    let services = &simulator.mocks()?[..];
    let none = BTreeSet::new();
    let lab = Lab::start(&config(services, &none, 0)).await?;
    let all_up = |all: &BTreeMap<String, Said>| {
        let up = |service: &Mock| all.get(&service.name).is_some_and(|said| said.up);
        services.iter().all(up)
    };
    until(&lab, RECOVERED, "all sources are up", all_up).await?;

    // kind → fault → what it said; each service has one fault in each round, and in one round none
    let mut seen: BTreeMap<String, BTreeMap<usize, BTreeSet<String>>> = BTreeMap::new();
    for round in 0..=FAULTS.len() {
        let mut broken = BTreeMap::new();
        for (n, service) in services.iter().enumerate() {
            let n = (n + round) % (FAULTS.len() + 1);
            let Some((fault, ..)) = FAULTS.get(n) else {
                continue;
            };
            let is_plain = !service.url.starts_with("https://");
            // one slow answer is waited for, many are a timeout; a session ends once
            let count = matches!(*fault, "slow" | "expired_session").then_some(1);
            let is_known = !(*fault == "wrong_certificate" && is_plain);
            if is_known && service.break_it(fault, count).await? {
                broken.insert(service.name.clone(), *fault);
            } else {
                let cells = seen
                    .entry(format!("{} {}", service.kind, service.name))
                    .or_default();
                cells.entry(n).or_default().insert("–".to_owned());
            }
        }
        let before = said(&lab).await?;
        let what = format!("round {round} is told: {broken:?}");
        let told = until(&lab, TOLD, &what, |all| {
            services.iter().all(|service| {
                let (Some(now), Some(then)) = (all.get(&service.name), before.get(&service.name))
                else {
                    return false;
                };
                let goes_on = now.up && now.last_event > then.last_event + GOES_ON_MS;
                match broken.get(&service.name).copied() {
                    None => goes_on,
                    Some("wrong_certificate") => now.class == "tls",
                    Some("slow" | "expired_session") => goes_on || !now.up,
                    Some(_) => !now.up,
                }
            })
        })
        .await?;
        for service in services {
            let Some(fault) = broken.get(&service.name) else {
                continue;
            };
            let now = told.get(&service.name).context("it is gone")?;
            let cell = if now.up {
                "goes on".to_owned()
            } else {
                format!("`{}`", now.class)
            };
            println!("{:<10}{fault:<20}{cell:<20}{}", service.name, now.reason);
            let class = if now.up { GOES_ON } else { &now.class };
            ensure!(
                FAULTS
                    .iter()
                    .any(|(name, _, may)| name == fault && may.contains(&class)),
                "{} says {class} of {fault}",
                service.name
            );
            ensure!(
                now.up || (!now.class.is_empty() && now.class != "other" && now.reason.len() > 10),
                "{}: {now:?}",
                service.name
            );
            let cells = seen
                .entry(format!("{} {}", service.kind, service.name))
                .or_default();
            let n = FAULTS.iter().position(|(name, ..)| name == fault);
            cells.entry(n.context("fault")?).or_default().insert(cell);
        }
        for service in services {
            service.mend().await?;
        }
        // whose password was refused, or who was blocked, waits for a person, who mends that and changes the config
        let refused: BTreeSet<String> = told
            .iter()
            .filter(|(name, said)| {
                let fault = broken.get(*name).copied();
                said.class == "bad_credentials" || (!said.up && fault == Some("blocked_account"))
            })
            .map(|(name, _)| name.clone())
            .collect();
        if !refused.is_empty() {
            let salt = i64::try_from(round)? + 1;
            let new = lab.path("homelog.toml.new");
            std::fs::write(&new, config(services, &refused, salt))?;
            std::fs::rename(&new, lab.path("homelog.toml"))?;
        }
        until(&lab, RECOVERED, "all are up again", all_up).await?;
    }
    compare(&table(&seen))
}

fn table(seen: &BTreeMap<String, BTreeMap<usize, BTreeSet<String>>>) -> String {
    let mut text = "| |".to_owned();
    for kind in seen.keys() {
        _ = write!(text, " {kind} |");
    }
    _ = write!(text, "\n|---|{}\n", "---|".repeat(seen.len()));
    for (n, (_, name, _)) in FAULTS.iter().enumerate() {
        _ = write!(text, "| {name} |");
        for cells in seen.values() {
            let said = cells.get(&n).map(|said| {
                let said: Vec<_> = said.iter().map(String::as_str).collect();
                said.join(", ")
            });
            _ = write!(text, " {} |", said.unwrap_or_default());
        }
        text.push('\n');
    }
    text
}

/// The page has to show every fault of every service; `unreachable` or `bad_answer` may depend on where an answer broke off.
/// `HOMELOG_WRITE_FAULTS=1` writes the page.
#[expect(clippy::disallowed_methods, reason = "a test's own switch")]
fn compare(table: &str) -> Result<()> {
    const BEGIN: &str = "<!-- what the test saw -->\n";
    const END: &str = "<!-- end -->\n";
    let page: PathBuf = workspace().join("docs/service-integrations/faults.md");
    let text = std::fs::read_to_string(&page)?;
    let (head, rest) = text.split_once(BEGIN).context("no begin")?;
    let (shown, tail) = rest.split_once(END).context("no end")?;
    println!("{table}");
    if std::env::var_os("HOMELOG_WRITE_FAULTS").is_some() {
        std::fs::write(&page, format!("{head}{BEGIN}{table}{END}{tail}"))?;
        return Ok(());
    }
    let frame = |table: &str| -> Vec<String> {
        let first = |line: &str| line.split('|').nth(1).unwrap_or_default().to_owned();
        let columns = table.lines().next().unwrap_or_default().to_owned();
        std::iter::once(columns)
            .chain(table.lines().map(first))
            .collect()
    };
    ensure!(
        frame(shown) == frame(table),
        "{} shows other faults or services; HOMELOG_WRITE_FAULTS=1 writes it anew",
        page.display()
    );
    Ok(())
}
