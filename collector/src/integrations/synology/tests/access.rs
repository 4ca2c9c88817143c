//! Who may ask, with which session, and what versions differ in.

use super::*;

#[tokio::test]
async fn each_version_is_asked_as_it_offers() {
    for (dsm, path, version, storage) in [
        (5, "/webapi/auth.cgi", "4", "storagehandler"),
        (6, "/webapi/auth.cgi", "6", STORAGE_CALL),
        (7, "/webapi/entry.cgi", "6", STORAGE_CALL),
    ] {
        let fake = Fake::start(dsm).await;
        let mut nas = open(&fake);
        let told = poll(&mut nas).await;
        assert_eq!(label(sample(&told, "nas/nas1"), "model"), "DS920+", "{dsm}");
        let told = heard(&mut nas).await;
        sample(&told, "disk/WD-1");
        assert_eq!(fake.times(storage), 1, "{dsm}");
        let asked = fake.asked();
        let login = asked
            .iter()
            .find(|a| a.what == "SYNO.API.Auth.login")
            .unwrap();
        assert_eq!(
            (login.target.as_str(), &*login.params["version"]),
            (path, version)
        );
        for asked in &asked {
            let in_sight = ["passwd", "pä55", "SynoToken"]
                .iter()
                .any(|secret| asked.target.contains(secret));
            assert!(!in_sight, "an address is written into logs: {asked:?}");
        }
    }
}

#[tokio::test]
async fn a_session_that_is_over_is_made_anew_once() {
    for code in [106, 107, 119, 150] {
        let fake = Fake::start(7).await;
        let mut nas = open(&fake);
        poll(&mut nas).await;
        fake.set(|state| state.sids.clear());
        if code == 119 {
            // it is found by the poll
            let told = poll(&mut nas).await;
            sample(&told, "nas/nas1");
        } else {
            fake.instead(LOAD_CALL, Answer::Code(code));
            let e = failure(&mut nas).await;
            assert_eq!(e.class, FailureClass::NoPermission, "{e}");
            assert!(e.retry_after.is_some(), "{e}");
            given_back(&fake).await;
        }
        assert_eq!(fake.logins(), 2, "{code}");
    }
}

#[tokio::test]
async fn some_calls_say_no_permission_when_the_session_is_over() {
    let fake = Fake::start(7).await;
    let mut nas = open(&fake);
    poll(&mut nas).await;
    fake.instead(LOAD_CALL, Answer::Code(105));
    // it was allowed before: one new login finds out that it is not any more, and the rest is told
    let told = poll(&mut nas).await;
    assert_eq!(sample(&told, "nas/nas1").fields.get("cpu_ratio"), None);
    assert_eq!(fake.logins(), 2);
    let times = fake.times(LOAD_CALL);
    poll(&mut nas).await;
    assert_eq!((fake.logins(), fake.times(LOAD_CALL)), (2, times));
    fake.set(|state| state.instead.clear());
    gentle::later(Duration::from_hours(1)).await;
    let told = poll(&mut nas).await;
    assert!(sample(&told, "nas/nas1").fields.get("cpu_ratio").is_some());
}

#[tokio::test]
async fn a_session_that_ends_before_the_storage_is_told_is_made_anew_by_the_poll() {
    let fake = Fake::start(7).await;
    let mut nas = open(&fake);
    poll(&mut nas).await;
    fake.set(|state| state.sids.clear());
    assert!(listen(&mut nas).await.is_empty());
    poll(&mut nas).await;
    assert_eq!(fake.logins(), 2);
    sample(&heard(&mut nas).await, "disk/WD-1");
}

#[tokio::test]
async fn a_call_that_knows_no_session_is_left_out_alone() {
    let fake = Fake::start(7).await;
    fake.instead("SYNO.Core.ExternalDevice.UPS.get", Answer::Code(119));
    let mut nas = open(&fake);
    sample(&poll(&mut nas).await, "nas/nas1");
    gentle::later(Duration::from_mins(1)).await;
    sample(&poll(&mut nas).await, "nas/nas1");
    assert_eq!((fake.logins(), fake.sessions()), (1, 1));
    assert_eq!(fake.times("SYNO.Core.ExternalDevice.UPS.get"), 1);
}

async fn given_back(fake: &Fake) {
    for _ in 0..100 {
        if fake.sessions() == 0 {
            return;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    panic!("{} sessions are left", fake.sessions());
}

#[tokio::test]
async fn the_session_is_given_back_at_the_end() {
    for dsm in [5, 6, 7] {
        let fake = Fake::start(dsm).await;
        let mut nas = open(&fake);
        poll(&mut nas).await;
        assert_eq!(fake.sessions(), 1);
        drop(nas);
        given_back(&fake).await;
    }
}

#[tokio::test]
async fn a_user_who_may_only_look_sees_what_the_system_tells() {
    let fake = Fake::start(7).await;
    fake.set(|state| state.admin = false);
    let mut nas = open(&fake);
    let told = poll(&mut nas).await;
    assert!(sample(&told, "nas/nas1").fields.get("cpu_ratio").is_some());
    let told = heard(&mut nas).await;
    let disk = sample(&told, "disk/Drive 1");
    assert_eq!(disk.fields.get("status"), Some(&text("normal")));
    let volume = sample(&told, "volume/volume_1");
    assert_eq!(
        volume.fields.get("used_ratio"),
        Some(&FieldValue::F64(0.25))
    );
    let told = poll(&mut nas).await;
    assert_eq!(
        sample(&told, "disk/Drive 1")
            .fields
            .get("written_bytes_per_second"),
        Some(&FieldValue::I64(4096))
    );
    sample(&told, "volume/volume_1");
    assert_eq!(fake.logins(), 1);
    // then it is made an administrator: the disks have their own names, and none has vanished
    fake.set(|state| state.admin = true);
    gentle::later(Duration::from_mins(5)).await;
    poll(&mut nas).await;
    let told = heard(&mut nas).await;
    sample(&told, "disk/WD-1");
    assert!(changes(&told).is_empty(), "{told:?}");
}

#[tokio::test]
async fn a_user_who_may_nothing_is_told_what_to_do() {
    for dsm in [5, 6] {
        let fake = Fake::start(dsm).await;
        fake.set(|state| state.admin = false);
        let mut nas = open(&fake);
        for _ in 0..3 {
            let e = failure(&mut nas).await;
            assert_eq!(e.class, FailureClass::NoPermission, "{e}");
            assert!(e.message.contains("administrators"), "{e}");
        }
        assert_eq!(fake.logins(), 1);
        assert_eq!(fake.times(LOAD_CALL), 1, "it is not asked again and again");
        assert_eq!(fake.storage_calls(), 0);
    }
}

#[tokio::test]
async fn a_code_makes_a_device_known_that_needs_none_from_then_on() {
    for key in ["device_id", "did"] {
        let fake = Fake::start(7).await;
        fake.set(|state| state.second_factor = Some(key));
        let e = failure(&mut open(&fake)).await;
        assert_eq!(e.class, FailureClass::BadCredentials);
        assert!(e.message.contains("--code 123456"), "{e}");

        let mut nas = open(&fake);
        nas.session.take_code("111111");
        let e = failure(&mut nas).await;
        assert!(e.message.contains("does not accept this code"), "{e}");
        assert!(nas.given().is_none());

        let mut nas = open(&fake);
        assert!(nas.take_code(CODE));
        sample(&poll(&mut nas).await, "nas/nas1");
        let given = nas.given().unwrap();
        assert_eq!(given.line(), format!("device_token = \"{DEVICE}\""));
        assert!(!format!("{given:?}").contains(DEVICE), "{given:?}");
        assert!(nas.given().is_none(), "it is given once");
        // a code is good once, and a session that is over needs no other
        fake.set(|state| state.sids.clear());
        sample(&poll(&mut nas).await, "nas/nas1");
        assert_eq!(fake.logins(), 2);

        let known = |token: &str| {
            let mut params = params(&fake.url(), PASSWORD);
            params.device_token = Secret::from(token);
            let timeout = Duration::from_millis(500);
            Synology::open_within(params, &testing::context("nas1"), timeout).unwrap()
        };
        sample(&poll(&mut known(DEVICE)).await, "nas/nas1");
        let e = failure(&mut known("of another time")).await;
        assert_eq!(e.class, FailureClass::BadCredentials);
        assert!(!e.message.contains("of another time"), "{e}");
        for asked in fake.asked() {
            let in_sight = [CODE, "d%2Bvice", "d+vice"]
                .iter()
                .any(|secret| asked.target.contains(secret));
            assert!(!in_sight, "an address is written into logs: {asked:?}");
        }
    }
}

#[tokio::test]
async fn a_user_without_a_second_factor_gets_nothing_for_a_code() {
    let fake = Fake::start(7).await;
    let mut nas = open(&fake);
    assert!(nas.take_code(CODE));
    sample(&poll(&mut nas).await, "nas/nas1");
    assert!(nas.given().is_none());
}
