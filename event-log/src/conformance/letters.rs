//! Laws of dead letters.

use schemas::Timestamp;

use super::Fixture;
use crate::DeadLetter;

fn letter(partition: usize, offset: u64, field: Option<&str>) -> DeadLetter {
    DeadLetter {
        partition,
        offset,
        field: field.map(str::to_owned),
        time: Timestamp::from_millis(1_700_000_000_000),
        reason: "type_conflict".to_owned(),
        message: format!("offset {offset} cannot be used"),
        bytes: vec![0, 255, b'\n', u8::try_from(offset % 200).unwrap()],
    }
}

/// A letter is kept once by partition, offset and field, in the order of the log, over a reopening.
pub async fn dead_letters_are_kept_once(fixture: &mut impl Fixture) {
    let log = fixture.open().await;
    assert_eq!(log.dead_letter_count().await.unwrap(), 0);
    assert!(log.dead_letters(0, 10).await.unwrap().is_empty());
    let first = vec![
        letter(0, 7, Some("b")),
        letter(0, 7, None),
        letter(0, 7, Some("a")),
        letter(0, 2, None),
    ];
    log.put_dead_letters(first.clone()).await.unwrap();
    let changed = DeadLetter {
        message: "told differently".to_owned(),
        ..letter(0, 7, Some("a"))
    };
    log.put_dead_letters(vec![changed, letter(0, 9, None), first[1].clone()])
        .await
        .unwrap();
    log.close().await.unwrap();

    let log = fixture.open().await;
    assert_eq!(log.dead_letter_count().await.unwrap(), 5);
    let wanted = [
        letter(0, 2, None),
        letter(0, 7, None),
        letter(0, 7, Some("a")),
        letter(0, 7, Some("b")),
        letter(0, 9, None),
    ];
    assert_eq!(log.dead_letters(0, 100).await.unwrap(), wanted);
    assert_eq!(log.dead_letters(1, 2).await.unwrap(), wanted[1..3]);
    assert!(log.dead_letters(5, 2).await.unwrap().is_empty());
    log.close().await.unwrap();
}

/// A resolved letter is gone, also over a reopening; the others stay, and it may come again.
pub async fn resolved_dead_letters_are_gone(fixture: &mut impl Fixture) {
    let log = fixture.open().await;
    let all = [
        letter(0, 2, None),
        letter(0, 7, None),
        letter(0, 7, Some("a")),
    ];
    log.put_dead_letters(all.to_vec()).await.unwrap();
    log.resolve_dead_letters(vec![all[1].id(), letter(0, 99, None).id()])
        .await
        .unwrap();
    assert_eq!(log.dead_letter_count().await.unwrap(), 2);
    log.close().await.unwrap();

    let log = fixture.open().await;
    assert_eq!(log.dead_letter_count().await.unwrap(), 2);
    assert_eq!(
        log.dead_letters(0, 10).await.unwrap(),
        [all[0].clone(), all[2].clone()]
    );
    log.put_dead_letters(vec![all[1].clone()]).await.unwrap();
    assert_eq!(log.dead_letters(0, 10).await.unwrap(), all);
    log.close().await.unwrap();
}
