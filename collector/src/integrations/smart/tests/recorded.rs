//! Against what real disks said, where that is at hand.

use super::*;

/// File, its exit status, entity, number of fields, some of them; or for a scan the devices that it finds.
enum Expected {
    Disk(&'static str, usize, &'static [(&'static str, f64)]),
    Scan(&'static [&'static str]),
}

#[tokio::test]
async fn every_recording_is_read() {
    use Expected::{Disk, Scan};
    let Some(dir) = testing::recordings("next_smartctl") else {
        return;
    };
    let three = &["/dev/sda sat", "/dev/nvme0 nvme", "/dev/nvme1 nvme"];
    let expected = [
        (
            "beszel_nvme0.json",
            Disk(
                "2024031600129",
                13,
                &[
                    ("temperature_celsius", 61.0),
                    ("written_bytes_total", 16_040_567.0 * 512_000.0),
                    ("life_left_ratio", 1.0),
                    ("unsafe_shutdowns_total", 44.0),
                ],
            ),
        ),
        (
            "beszel_scan.json",
            Scan(&["/dev/sda sat", "/dev/nvme0 nvme"]),
        ),
        (
            "beszel_sda.json",
            Disk(
                "9C40918040082",
                16,
                &[
                    ("temperature_celsius", 31.0),
                    ("crc_errors_total", 131.0),
                    ("logged_errors_total", 131.0),
                    ("power_on_seconds_total", 7344.0 * 3600.0),
                ],
            ),
        ),
        (
            "device_nvme.json",
            Disk(
                "6D1107091C9583054511",
                13,
                &[("life_left_ratio", 0.96), ("logged_errors_total", 4871.0)],
            ),
        ),
        (
            "device_usb.json",
            Disk("06c9f4c44", 10, &[("power_cycles_total", 223.0)]),
        ),
        ("scan_all.json", Scan(three)),
        ("scan_exclude.json", Scan(three)),
        ("scan_include.json", Scan(three)),
    ];
    let mut files = 0;
    for entry in std::fs::read_dir(&dir).unwrap() {
        let name = entry.unwrap().file_name().into_string().unwrap();
        let text = std::fs::read_to_string(dir.join(&name)).unwrap();
        let said: Value = serde_json::from_str(&text).unwrap();
        let (_, expected) = expected
            .iter()
            .find(|(file, _)| *file == name)
            .unwrap_or_else(|| panic!("nothing is expected of {name}"));
        let fake = Fake::start();
        match expected {
            Scan(devices) => {
                fake.scan(&said["devices"]);
                let found = Smartctl::new(&fake.command())
                    .unwrap()
                    .scan()
                    .await
                    .unwrap();
                let found: Vec<_> = found
                    .into_iter()
                    .map(|device| format!("{} {}", device.name, device.kind.unwrap_or_default()))
                    .collect();
                println!("{name}: {found:?}");
                assert_eq!(found, *devices);
            }
            Disk(serial, fields, some) => {
                let exit = said["smartctl"]["exit_status"].as_u64().unwrap();
                fake.disk("disk", u8::try_from(exit).unwrap(), &said);
                let told = poll(&mut open(&fake.command(), &["/dev/disk"])).await;
                let [disk] = &told[..] else {
                    panic!("{told:?}")
                };
                println!("{name}: {} {:?}", disk.entity.id, disk.fields);
                assert_eq!(disk.entity.id.as_str(), *serial);
                for (field, value) in *some {
                    let told = disk.fields.get(field).and_then(FieldValue::as_f64);
                    assert_eq!(told, Some(*value), "{name}: {field}");
                }
                assert_eq!(disk.fields.len(), *fields, "{name}: {:?}", disk.fields);
            }
        }
        files += 1;
    }
    println!("{files} recordings of smartctl");
    assert_eq!(files, expected.len());
}
