//! A real upsd, whose UPS is a file.

use std::time::Instant;

use test_servers::Upsd;

use super::*;

const PATIENCE: Duration = Duration::from_secs(30);

/// Polls until what is told, or why nothing is, is as wanted.
async fn until<T>(
    nut: &mut Nut,
    what: &str,
    mut wanted: impl FnMut(&Result<(), PollError>, &[Observation]) -> Option<T>,
) -> T {
    let end = Instant::now() + PATIENCE;
    loop {
        let mut batch = testing::batch();
        let result = nut.poll(&mut batch).await;
        let told = checked(batch);
        if let Some(found) = wanted(&result, &told) {
            return found;
        }
        assert!(Instant::now() < end, "not {what}: {result:?} {told:?}");
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
}

#[tokio::test]
async fn a_real_upsd_is_read_through_all_that_may_happen_to_it() {
    let mut upsd = Upsd::start(ONLINE).unwrap();
    let params = toml::from_str(&format!("url = \"{}\"", upsd.url())).unwrap();
    let mut nut = Nut::open(params, &testing::context("power")).unwrap();
    let first = until(&mut nut, "online", |_, told| {
        told.iter()
            .find(|e| e.fields.get("status").is_some())
            .map(|e| (shown(e), e.entity.clone()))
    })
    .await;
    assert_eq!(
        first.0,
        "battery_charge_ratio=0.9 battery_runtime_seconds=4020 bypassed=false communication=ok input_volts=228 load_ratio=0.13 \
         low_battery=false on_battery=false overloaded=false replace_battery=false shutting_down=false status=OL CHRG"
    );
    assert_eq!(first.1.id.as_str(), "ups1");
    let label = |name| first.1.labels.get(name).map_or("", |label| label);
    assert_eq!(label("name"), "The \"best\" one");
    assert_eq!(label("driver"), "dummy-ups");

    upsd.set(ON_BATTERY).unwrap();
    let moved = until(&mut nut, "on battery", |_, told| changes(told).pop()).await;
    assert_eq!(moved, "ups1: old_status=OL CHRG status=OB DISCHRG");

    // the driver hangs, then is gone, then is back
    upsd.driver().unwrap().signal("STOP").unwrap();
    let (stale, moved) = until(&mut nut, "stale", |result, told| {
        Some((result.clone().err()?, changes(told)))
    })
    .await;
    assert_eq!(stale.class, FailureClass::Unreachable, "{stale}");
    assert!(stale.message.contains("DATA-STALE"), "{stale}");
    assert_eq!(moved, ["ups1: communication=stale old_communication=ok"]);
    upsd.kill_driver().unwrap();
    let gone = until(&mut nut, "without a driver", |result, _| {
        let e = result.clone().err()?;
        e.message.contains("DRIVER-NOT-CONNECTED").then_some(e)
    })
    .await;
    assert_eq!(gone.class, FailureClass::Unreachable, "{gone}");
    upsd.set(ONLINE).unwrap();
    upsd.start_driver().unwrap();
    let moved = until(&mut nut, "back", |result, told| {
        result.is_ok().then(|| changes(told))
    })
    .await;
    assert!(
        moved
            .concat()
            .contains("communication=ok old_communication=no driver"),
        "{moved:?}"
    );

    // the connection that is kept does not survive upsd
    upsd.restart().unwrap();
    until(&mut nut, "read after a restart", |result, _| {
        result.is_ok().then_some(())
    })
    .await;
    let params = toml::from_str(&format!("url = \"{}\"\nups = [\"ups2\"]", upsd.url())).unwrap();
    let mut nut = Nut::open(params, &testing::context("power")).unwrap();
    let (e, _) = failure(&mut nut).await;
    assert!(e.message.contains("no UPS `ups2`, but ups1"), "{e}");
}
