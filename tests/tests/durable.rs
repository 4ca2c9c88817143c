//! An acknowledgement follows the sync of what it acknowledges: read off the system calls.

use anyhow::{Context, Result, ensure};
use homelog_tests::lab::Lab;
use serde_json::json;

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Call {
    WriteLog,
    SyncLog,
    Accepted,
}

/// What a line of `strace -yy` means for us.
fn call(line: &str) -> Option<Call> {
    let done = !line.contains("<unfinished");
    if line.contains("log.db-wal") && line.contains("pwrite64(") {
        Some(Call::WriteLog)
    } else if line.contains("log.db-wal")
        && line.contains("fdatasync(")
        && done
        && line.contains("= 0")
    {
        Some(Call::SyncLog)
    } else if line.contains("\\\"accepted\\\":1") || line.contains("HTTP/1.1 204 ") {
        Some(Call::Accepted)
    } else {
        None
    }
}

#[tokio::test]
async fn every_acknowledgement_follows_a_sync_of_the_log() -> Result<()> {
    const PUSHES: u32 = 40;
    let trace = tempfile::NamedTempFile::new()?;
    let trace_path = trace.path().to_str().context("path")?;
    let config = "[[source]]\nname = \"here\"\nkind = \"host\"\ninterval = \"1h\"\n";
    let wrapper = [
        "strace",
        "-f",
        "-yy",
        "-qq",
        "-s",
        "2000",
        "-e",
        "trace=pwrite64,fdatasync,fsync,write,writev,sendto,sendmsg",
        "-o",
        trace_path,
    ];
    let mut lab = Lab::start_under(config, &wrapper).await?;
    for n in 0..PUSHES {
        let event = json!({"source": "probe", "entity": {"type": "probe", "id": "p"}, "fields": {"value": n}});
        // both doors lead into the same log
        let request = if n % 2 == 0 {
            lab.post("/api/v1/events").json(&event)
        } else {
            lab.post("/influxdb/write?db=lab")
                .body(format!("probe,id=p value={n}"))
        };
        let answer = request.send().await?;
        ensure!(answer.status().is_success(), "{}", answer.text().await?);
    }
    lab.kill9().await?;

    let text = String::from_utf8_lossy(&std::fs::read(trace.path())?).into_owned();
    let calls = in_order_of_return(&text);
    let (mut written, mut synced, mut acknowledged) = (0_u32, 0_u32, 0_u32);
    let mut dirty = false;
    for call in calls {
        match call {
            Call::WriteLog => {
                written += 1;
                dirty = true;
            }
            Call::SyncLog => {
                synced += 1;
                dirty = false;
            }
            Call::Accepted => {
                acknowledged += 1;
                ensure!(
                    !dirty,
                    "acknowledgement {acknowledged} was sent while the log had writes that were not synced"
                );
                ensure!(
                    synced >= acknowledged,
                    "acknowledgement {acknowledged} after {synced} syncs"
                );
            }
        }
    }
    println!("{acknowledged} acknowledgements, {written} writes to the log, {synced} syncs");
    ensure!(
        acknowledged == PUSHES,
        "{acknowledged} acknowledgements in the trace instead of {PUSHES}:\n{}",
        lab.output()
    );
    Ok(())
}

/// The calls that matter: a sync counts when it has returned, a write or an answer when it was called.
fn in_order_of_return(text: &str) -> Vec<Call> {
    let mut syncing: std::collections::HashSet<&str> = std::collections::HashSet::new();
    let mut calls = Vec::new();
    for line in text.lines() {
        let thread = line.split_whitespace().next().unwrap_or_default();
        let is_sync = line.contains("fdatasync(");
        if is_sync && line.contains("log.db-wal") && line.contains("<unfinished") {
            syncing.insert(thread);
        } else if line.contains("fdatasync resumed>") && syncing.remove(thread) {
            if line.contains("= 0") {
                calls.push(Call::SyncLog);
            }
        } else if let Some(call) = call(line) {
            calls.push(call);
        }
    }
    calls
}
