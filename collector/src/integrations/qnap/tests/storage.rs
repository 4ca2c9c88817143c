//! Disks and volumes, which have a slow clock.

use super::*;

/// Time for the storage to be asked again, without waiting for it.
fn hours_later(qnap: &mut Qnap) {
    qnap.slow.hurry();
}

#[tokio::test]
async fn storage_is_told_between_polls_and_seldom() {
    let fake = Fake::start().await;
    let mut qnap = open(&fake);
    poll(&mut qnap).await;
    assert_eq!(fake.asked("qsmart"), 0, "no poll asks for disks");
    let told = listen(&mut qnap).await;
    assert_eq!(
        keys(&told),
        ["qnap_disk/S1", "qnap_volume/1", "qnap_share/1/Public"]
    );
    assert_eq!(
        shown(of(&told, "qnap_disk/S1")),
        "health=ok status=ready temperature_celsius=35"
    );
    assert_eq!(
        shown(of(&told, "qnap_volume/1")),
        "size_bytes=1000 status=ready used_bytes=750 used_ratio=0.75"
    );
    assert_eq!(shown(of(&told, "qnap_share/1/Public")), "used_bytes=12");
    let itself = of(&poll(&mut qnap).await, "qnap/nas1").fields.clone();
    assert_eq!(
        itself.get("new_version"),
        Some(&FieldValue::text("4.5.4 Build 1").unwrap())
    );
    assert!(listen(&mut qnap).await.is_empty());
    for call in ["qsmart", "disk_usage", "firm_update"] {
        assert_eq!(fake.asked(call), 1, "{call}");
    }
}

#[tokio::test]
async fn disks_that_sleep_are_left_alone_until_they_wake_by_themselves() {
    for tells_bays in [true, false] {
        let fake = Fake::start().await;
        fake.set(|state| state.tells_bays = tells_bays);
        let mut qnap = open(&fake);
        poll(&mut qnap).await;
        assert_eq!(listen(&mut qnap).await.len(), 3);
        fake.set(|state| state.asleep = true);
        for _ in 0..3 {
            poll(&mut qnap).await;
            hours_later(&mut qnap);
            let told = listen(&mut qnap).await;
            let disk = told
                .iter()
                .any(|e| e.fields.get("temperature_celsius").is_some());
            assert!(!disk, "{told:?}");
        }
        assert_eq!(fake.get(|state| state.woken), 0);
        assert_eq!(fake.asked("disk_usage"), 1);
        // QTS 5 says in each poll that they sleep; before it only the list of disks does, which wakes none
        assert_eq!(fake.asked("qsmart"), if tells_bays { 1 } else { 4 });
        fake.set(|state| state.asleep = false);
        poll(&mut qnap).await;
        hours_later(&mut qnap);
        assert_eq!(listen(&mut qnap).await.len(), 3, "awake");
    }
}

#[tokio::test]
async fn a_call_that_hangs_holds_up_no_poll() {
    let fake = Fake::start().await;
    fake.instead("qsmart", Answer::Silence);
    let mut qnap = open(&fake);
    for _ in 0..3 {
        assert_eq!(poll(&mut qnap).await.len(), 4);
        let mut batch = Batch::live();
        let soon = Duration::from_millis(20);
        let heard = tokio::time::timeout(soon, qnap.listen(&mut batch)).await;
        assert!(heard.is_err());
    }
    assert_eq!(fake.asked("qsmart"), 1, "it is one call all the time");
    assert_eq!(fake.asked("disk_usage"), 0);
}

#[tokio::test]
async fn what_moves_is_a_change() {
    let fake = Fake::start().await;
    let mut qnap = open(&fake);
    poll(&mut qnap).await;
    listen(&mut qnap).await;
    fake.set(|state| state.health = "warning");
    fake.instead(
        "qsmart",
        Answer::reply(
            "<Disk_Info><entry><HDNo>0:1</HDNo><Model>WD1</Model><Serial>S1</Serial><Health>Abnormal</Health>\
             <Disk_Status>-9</Disk_Status><Temperature><oC>50</oC></Temperature></entry></Disk_Info>",
        ),
    );
    fake.instead("disk_usage", Answer::reply("<volumeList></volumeList>"));
    let told = poll(&mut qnap).await;
    assert_eq!(changes(&told, "health"), ["warning"]);
    assert_eq!(changes(&told, "old_health"), ["good"]);
    // the storage is asked at once, since it may be why
    let told = listen(&mut qnap).await;
    assert_eq!(changes(&told, "health"), ["abnormal"]);
    assert_eq!(
        changes(&told, "status"),
        ["read or write error", "vanished"]
    );
    assert!(changes(&poll(&mut qnap).await, "health").is_empty());
    fake.instead("qsmart", Answer::reply("<Disk_Info></Disk_Info>"));
    hours_later(&mut qnap);
    assert_eq!(changes(&listen(&mut qnap).await, "status"), ["vanished"]);
}

#[tokio::test]
async fn a_session_that_ends_between_polls_is_made_anew_by_the_next_one() {
    let fake = Fake::start().await;
    let mut qnap = open(&fake);
    poll(&mut qnap).await;
    fake.set(|state| state.sids.clear());
    assert!(listen(&mut qnap).await.is_empty());
    assert_eq!(poll(&mut qnap).await.len(), 4);
    hours_later(&mut qnap);
    assert_eq!(listen(&mut qnap).await.len(), 3);
    assert_eq!(fake.get(|state| state.logins), 2);
}

#[tokio::test]
async fn storage_that_is_not_allowed_costs_one_login_and_not_the_rest() {
    let fake = Fake::start().await;
    fake.instead("qsmart", Answer::reply("<authPassed>0</authPassed>"));
    let mut qnap = open(&fake);
    for _ in 0..4 {
        assert_eq!(poll(&mut qnap).await.len(), 4);
        hours_later(&mut qnap);
        assert!(listen(&mut qnap).await.is_empty());
    }
    assert_eq!(fake.get(|state| state.logins), 2);
}

#[tokio::test]
async fn an_answer_without_its_list_is_left_out() {
    let fake = Fake::start().await;
    fake.instead("qsmart", Answer::reply("<authPassed>1</authPassed>"));
    fake.instead("firm_update", Answer::Text(500, "no".to_owned()));
    let mut qnap = open(&fake);
    poll(&mut qnap).await;
    assert!(listen(&mut qnap).await.is_empty());
    assert_eq!(
        qnap.told.iter().copied().collect::<Vec<_>>(),
        [Job::Disks, Job::Update]
    );
    fake.set(|state| state.instead.clear());
    hours_later(&mut qnap);
    assert_eq!(listen(&mut qnap).await.len(), 3);
    assert!(!qnap.told.contains(&Job::Disks));
}
