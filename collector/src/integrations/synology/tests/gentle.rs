//! No poll wakes a sleeping disk: the storage is asked on its own slow clock only, and not while disks may sleep.

use super::*;

/// Lets time pass between two requests.
pub(super) async fn later(time: Duration) {
    tokio::time::pause();
    tokio::time::advance(time).await;
    tokio::time::resume();
}

/// Polls as a source does, every 15 s, and listens between; returns how many polls there were.
async fn run(nas: &mut Synology, time: Duration) -> usize {
    let mut polls = 0;
    let mut passed = Duration::ZERO;
    while passed < time {
        poll(nas).await;
        polls += 1;
        while nas.clock.is_running() {
            nas.listen(&mut Batch::live()).await;
        }
        later(Synology::DEFAULT_INTERVAL).await;
        passed += Synology::DEFAULT_INTERVAL;
    }
    polls
}

const HOUR: Duration = Duration::from_hours(1);

#[tokio::test]
async fn the_storage_is_asked_on_its_own_slow_clock_only() {
    let fake = Fake::start(7).await;
    let mut nas = open(&fake);
    let polls = run(&mut nas, HOUR).await;
    assert_eq!(fake.times(LOAD_CALL), polls);
    assert_eq!(polls, 240);
    let asked = fake.storage_calls();
    assert!((11..=12).contains(&asked), "{asked} times in an hour");
}

#[tokio::test]
async fn disks_that_sleep_are_left_alone_until_something_else_wakes_them() {
    let fake = Fake::start(7).await;
    fake.set(|state| {
        state.works = false;
        state.idle_minutes = 20;
    });
    let mut nas = open(&fake);
    run(&mut nas, 3 * HOUR).await;
    // the login woke them, and they may fall asleep again
    assert_eq!(fake.storage_calls(), 1);
    assert_eq!(fake.times("SYNO.Core.Hardware.Hibernation.get"), 1);
    fake.set(|state| state.works = true);
    run(&mut nas, HOUR).await;
    let awake = fake.storage_calls() - 1;
    assert!((10..=12).contains(&awake), "{awake} times in an hour");
    fake.set(|state| state.works = false);
    run(&mut nas, HOUR).await;
    let after = fake.storage_calls() - 1 - awake;
    assert!(after <= 1, "{after} times after the last work");
    assert_eq!(fake.logins(), 1);
}

#[tokio::test]
async fn disks_that_never_sleep_are_asked_also_when_idle() {
    let fake = Fake::start(7).await;
    fake.set(|state| state.works = false);
    let mut nas = open(&fake);
    run(&mut nas, HOUR).await;
    assert!(fake.storage_calls() >= 11, "{}", fake.storage_calls());
}

#[tokio::test]
async fn who_may_not_know_when_disks_sleep_takes_the_shortest_time() {
    let fake = Fake::start(7).await;
    fake.set(|state| {
        state.works = false;
        state.admin = false;
    });
    let mut nas = open(&fake);
    run(&mut nas, HOUR).await;
    // each time first the storage manager, which refuses, then the system
    let asked = fake.storage_calls();
    assert_eq!(asked, 2);
    run(&mut nas, HOUR).await;
    assert_eq!(fake.storage_calls(), asked);
}

#[tokio::test]
async fn polls_that_fail_do_not_make_the_storage_asked_more_often() {
    let fake = Fake::start(7).await;
    let mut nas = open(&fake);
    fake.instead(STORAGE_CALL, Answer::Silence);
    for _ in 0..10 {
        fake.set(|state| {
            state.instead.remove(LOAD_CALL);
        });
        poll(&mut nas).await;
        let mut batch = Batch::live();
        let moment = Duration::from_millis(20);
        drop(tokio::time::timeout(moment, nas.listen(&mut batch)).await);
        fake.instead(LOAD_CALL, Answer::Text(500, String::new()));
        fake.instead("SYNO.Core.System.info", Answer::Text(500, String::new()));
        fake.instead("SYNO.DSM.Info.getinfo", Answer::Text(500, String::new()));
        failure(&mut nas).await;
    }
    assert_eq!(fake.storage_calls(), 1);
}
