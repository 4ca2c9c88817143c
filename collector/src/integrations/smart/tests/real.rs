//! Against the real `smartctl`, where it is installed.

use super::*;

fn installed() -> bool {
    let found = ["/usr/sbin/smartctl", "/usr/local/sbin/smartctl"]
        .iter()
        .any(|place| std::path::Path::new(place).exists());
    if !found {
        println!("SKIPPED: smartctl is not installed");
    }
    found
}

#[tokio::test]
async fn the_real_program_scans_and_its_exit_status_is_understood() {
    if !installed() {
        return;
    }
    let smartctl = Smartctl::new("smartctl").unwrap();
    let disks = smartctl.scan().await.unwrap();
    println!("smartctl --scan finds {disks:?}");
    // there, but no disk; and not there at all
    for (device, class) in [
        ("/dev/null", FailureClass::BadAnswer),
        ("/dev/sdzzz", FailureClass::Unreachable),
    ] {
        let asked = smartctl.ask(&Device::parse(device).unwrap()).await;
        let failed = asked.err().unwrap();
        assert!(failed.message.contains(device), "{failed}");
        assert_eq!(failed.class, class, "{failed}");
    }
    // what has no power mode that it could tell looks like one that sleeps, which has an exit status of its own
    let typed = Device::parse("/dev/null sat").unwrap();
    assert!(matches!(smartctl.ask(&typed).await, Ok(Said::Standby)));
}
