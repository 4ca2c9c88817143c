//! `homelog check --connect`: whether every source can be reached as it is configured.

use std::fmt::Write;

use collector::{
    CertificateShown, Context, Given, PollError, Seen, SourceConfig, Sources, Trial, name_of_host,
};
use futures::{StreamExt, stream};
use schemas::{SourceName, Timestamp, time::format_duration};
use supervision::Supervisor;

use crate::{
    cli::CheckArgs,
    commands::user::say,
    config::Config,
    env::Env,
    outcome::Failure,
    roles::{Host, sources},
};

/// Sources that are tried at a time.
const TOGETHER: usize = 8;

/// Tries all sources, or the one that is named, each once.
pub(super) async fn run(config: &Config, args: &CheckArgs, env: &Env) -> Result<(), Failure> {
    let host = Host::new(config, env)?;
    let mut all = sources(config, &host).await;
    if let Some(name) = &args.source {
        all.retain(|source| source.name == *name);
        if all.is_empty() {
            return Err(Failure::usage(format!(
                "homelog: --source: there is no source `{name}` in this configuration"
            )));
        }
    }
    let supervisor = Supervisor::new();
    let context = |source: &SourceConfig| Context {
        source: source.name.clone(),
        agent: host.agent.clone(),
        hostname: name_of_host(&host.name),
        supervisor: supervisor.clone(),
        sources: Sources::default(),
    };
    let mut failed = 0;
    let trials = stream::iter(all.iter().map(|source| {
        let context = context(source);
        let code = args.code.as_deref();
        async move { (source, collector::try_once(source, &context, code).await) }
    }));
    let mut trials = std::pin::pin!(trials.buffered(TOGETHER));
    while let Some((source, trial)) = trials.next().await {
        failed += usize::from(trial.result.is_err());
        say(told(source, &trial).trim_end())?;
        if args.code.is_some() && trial.result.is_ok() {
            say(known(&source.name, trial.given.as_ref()).trim_end())?;
        }
    }
    supervisor.drain(std::time::Duration::from_secs(2)).await;
    match failed {
        0 => Ok(()),
        1 => Err(anyhow::anyhow!("1 source of {} cannot be read", all.len()).into()),
        _ => Err(anyhow::anyhow!("{failed} sources of {} cannot be read", all.len()).into()),
    }
}

/// What is said of one source: a line, and more where a person has something to do.
fn told(source: &SourceConfig, trial: &Trial) -> String {
    let SourceConfig {
        name, integration, ..
    } = source;
    let took = format_duration(std::time::Duration::from_millis(
        u64::try_from(trial.took.as_millis()).unwrap_or(u64::MAX),
    ));
    let mut text = format!("{name} ({}): ", integration.kind());
    // writing to a String does not fail
    let _written = match &trial.result {
        Ok(seen) if seen.findings.is_empty() => writeln!(text, "ok in {took}: {}", words(seen)),
        Ok(seen) => {
            let found = seen.findings.iter().map(|finding| format!("\n  {finding}"));
            writeln!(
                text,
                "works ({took}: {}), but finds what it watches down:{}",
                words(seen),
                found.collect::<String>()
            )
        }
        Err(PollError { class, message, .. }) => {
            writeln!(text, "{} after {took}: {message}", class.as_str())
        }
    };
    if let Err(failure) = &trial.result {
        match &failure.certificate {
            Some(certificate) => text.push_str(&approval(name, certificate)),
            None if failure.class.fix().is_empty() => {}
            None => {
                let _written = writeln!(text, "  {}", failure.class.fix());
            }
        }
    }
    if integration.is_insecure() {
        let _written = writeln!(
            text,
            "  WARNING: insecure = true: whoever answers is believed, and is given the credentials of `{name}`; \
             remove it, run this again, and accept the certificate that is shown"
        );
    }
    text
}

/// What came of a one-time code.
fn known(name: &SourceName, given: Option<&Given>) -> String {
    match given {
        Some(given) => format!(
            "  it knows this machine from now on, and wants no code again where it is shown this. Write below source `{name}`, or \
             the text alone into a file that `{}_file` names:\n    {}\n",
            given.option(),
            given.line()
        ),
        None => "  it gave nothing for the code: this user needs none\n".to_owned(),
    }
}

fn words(seen: &Seen) -> String {
    let Seen {
        entities,
        readings,
        is_partial,
        ..
    } = seen;
    let partial = if *is_partial {
        let patience = format_duration(collector::FIRST_ANSWERS);
        format!("; not all that it reads was answered within {patience}")
    } else {
        String::new()
    };
    if entities.is_empty() {
        return format!("nothing yet{partial}");
    }
    let each: Vec<_> = entities
        .iter()
        .map(|(entity_type, count)| format!("{count} {entity_type}"))
        .collect();
    let plural = if *readings == 1 { "" } else { "s" };
    format!("{readings} reading{plural} of {}{partial}", each.join(", "))
}

/// A certificate at first sight, and what to write if it is the right one.
fn approval(name: &SourceName, certificate: &CertificateShown) -> String {
    let CertificateShown {
        fingerprint,
        subject,
        not_after,
        pinned,
    } = certificate;
    let subject = subject.as_deref().unwrap_or("not told");
    let until = not_after
        .and_then(|seconds| seconds.checked_mul(1000))
        .map_or_else(
            || "not told".to_owned(),
            |millis| Timestamp::from_millis(millis).to_string(),
        );
    let ask = if *pinned {
        "It is another one than before. Only if you replaced it yourself"
    } else {
        "Compare it with what the service itself shows. If it is that one"
    };
    format!(
        "  subject:     {subject}\n  valid until: {until}\n  fingerprint: {fingerprint}\n  \
         {ask}, write below source `{name}`:\n    tls = {{ fingerprint = \"{fingerprint}\" }}\n"
    )
}
