//! A disk that fills up under a running Homelog: said clearly, nothing acknowledged is lost, and it goes on by itself.

use std::{collections::BTreeSet, path::PathBuf, time::Duration};

use anyhow::{Context, Result, ensure};
use homelog_tests::lab::Lab;
use serde_json::{Value, json};
use tokio::process::Command;

const CONFIG: &str = "[[source]]\nname = \"here\"\nkind = \"host\"\ninterval = \"1s\"\n";

/// A small disk of its own, gone with the test.
struct SmallDisk(PathBuf);

impl SmallDisk {
    async fn mount(directory: PathBuf, mebibytes: u32) -> Result<Self> {
        std::fs::create_dir_all(&directory)?;
        let mounted = Command::new("mount")
            .args([
                "-t",
                "tmpfs",
                "-o",
                &format!("size={mebibytes}m"),
                "homelog-test",
            ])
            .arg(&directory)
            .status()
            .await?;
        ensure!(
            mounted.success(),
            "cannot mount a small disk: this test needs root, or to be left out with `--skip disk`"
        );
        Ok(Self(directory))
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        drop(
            std::process::Command::new("umount")
                .arg("-l")
                .arg(&self.0)
                .status(),
        );
    }
}

async fn push(lab: &Lab, seq: u64) -> Result<(u16, Value)> {
    let event = json!({
        "source": "probe", "epoch": "e", "seq": seq,
        "entity": {"type": "probe", "id": "p"},
        "fields": {"value": seq, "text": "x".repeat(2000) + &seq.to_string()},
    });
    let answer = lab.post("/api/v1/events").json(&event).send().await?;
    Ok((answer.status().as_u16(), answer.json().await?))
}

#[tokio::test]
async fn a_full_disk_refuses_new_events_keeps_the_old_and_recovers() -> Result<()> {
    let mut lab = Lab::start(CONFIG).await?;
    ensure!(lab.stop().await?.success());
    let moved = lab.path("kept");
    std::fs::rename(lab.data(), &moved)?;
    let disk = SmallDisk::mount(lab.data(), 12).await?;
    for entry in std::fs::read_dir(&moved)? {
        let entry = entry?;
        if entry.file_type()?.is_file() {
            std::fs::copy(entry.path(), lab.data().join(entry.file_name()))?;
        }
    }
    lab.spawn()?;
    lab.wait_ready().await?;

    let mut acknowledged = BTreeSet::new();
    for seq in 1..=20 {
        ensure!(push(&lab, seq).await?.0 == 200);
        acknowledged.insert(seq);
    }
    let filler = lab.data().join("filler");
    // dd ends with an error when nothing fits any more: that is the point
    drop(
        Command::new("dd")
            .args(["if=/dev/zero", "bs=4k"])
            .arg(format!("of={}", filler.display()))
            .output()
            .await?,
    );
    let mut refused = 0;
    for seq in 21..=200 {
        let (status, answer) = push(&lab, seq).await?;
        if status == 200 {
            acknowledged.insert(seq);
        } else {
            refused += 1;
            let message = answer["error"]["message"].as_str().context("message")?;
            ensure!(
                message.contains("disk") && message.contains("full"),
                "{status} {answer}"
            );
            ensure!(status == 507 || status == 503, "{status} {answer}");
        }
    }
    ensure!(refused > 0, "the disk was never full");
    ensure!(
        lab.json("/api/v1/events?source=probe&limit=10000").await?["events"]
            .as_array()
            .is_some()
    );

    std::fs::remove_file(&filler)?;
    let mut recovered = false;
    for attempt in 0..100 {
        if push(&lab, 1_000).await?.0 == 200 {
            acknowledged.insert(1_000);
            println!("goes on {} ms after there is room", attempt * 100);
            recovered = true;
            break;
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    ensure!(
        recovered,
        "no event is taken though there is room again:\n{}",
        lab.output()
    );

    for seq in 21..=200 {
        // what was refused is sent again, as a client would
        if !acknowledged.contains(&seq) {
            ensure!(push(&lab, seq).await?.0 == 200);
            acknowledged.insert(seq);
        }
    }
    ensure!(lab.stop().await?.success(), "{}", lab.output());
    lab.spawn()?;
    lab.wait_ready().await?;
    let page = lab.json("/api/v1/events?source=probe&limit=10000").await?;
    let seqs: Vec<u64> = page["events"]
        .as_array()
        .context("events")?
        .iter()
        .filter_map(|e| e["seq"].as_u64())
        .collect();
    let unique: BTreeSet<u64> = seqs.iter().copied().collect();
    ensure!(seqs.len() == unique.len(), "an event is in the log twice");
    ensure!(
        unique == acknowledged,
        "the log and what was acknowledged differ: {:?}",
        unique.symmetric_difference(&acknowledged)
    );
    ensure!(!lab.output().contains("panicked"), "{}", lab.output());
    ensure!(lab.stop().await?.success());
    drop(disk);
    Ok(())
}
