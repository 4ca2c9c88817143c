//! Against what real disks said, where that is at hand: the report of a disk with its exit code, or a scan.

use std::path::Path;

use super::*;
use crate::testing::recordings::{self, Became};

/// What the integration makes of one recording.
pub(crate) async fn read(dir: &Path, name: &str) -> Became {
    let text = std::fs::read_to_string(dir.join(name)).unwrap();
    let said: Value = serde_json::from_str(&text).unwrap();
    let fake = Fake::start();
    if let Some(devices) = said.get("devices") {
        fake.scan(devices);
        let smartctl = Smartctl::new(&fake.command()).unwrap();
        return match smartctl.scan().await {
            Ok(found) => {
                let found = found.into_iter();
                let found = found.map(|it| format!("{} {}", it.name, it.kind.unwrap_or_default()));
                Became::Understood(found.collect::<Vec<_>>().join(", "))
            }
            Err(e) => e.into(),
        };
    }
    let exit = said["smartctl"]["exit_status"].as_u64().unwrap();
    fake.disk("disk", u8::try_from(exit).unwrap(), &said);
    let mut batch = recordings::batch();
    match open(&fake.command(), &["/dev/disk"]).poll(&mut batch).await {
        Ok(()) => Became::Told(testing::checked(batch, METRICS).0),
        Err(e) => e.into(),
    }
}
