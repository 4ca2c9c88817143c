//! Servers that are not there yet are waited for; what a person must put right is told at once.

use std::{fmt::Display, time::Duration};

use tracing::{info, warn};

const FIRST: Duration = Duration::from_millis(500);
const LONGEST: Duration = Duration::from_secs(15);

/// Whether a server that does not answer is waited for.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Patience {
    /// A command tells and ends.
    Once,
    /// A service waits as long as it takes.
    Forever,
}

/// Opens what `what` names. While that fails in a way that may pass, it is tried again, and told whenever the reason changes.
pub(super) async fn open<T, E, F>(
    what: &str,
    patience: Patience,
    passes: impl Fn(&E) -> bool,
    mut attempt: impl FnMut() -> F,
) -> Result<T, E>
where
    E: Display,
    F: Future<Output = Result<T, E>>,
{
    let mut told = String::new();
    let mut wait = FIRST;
    loop {
        let error = match attempt().await {
            Ok(opened) => {
                if !told.is_empty() {
                    info!("{what} answers");
                }
                return Ok(opened);
            }
            Err(e) => e,
        };
        if patience == Patience::Once || !passes(&error) {
            return Err(error);
        }
        let why = error.to_string();
        if why != told {
            warn!("waiting for {what}: {why}");
            told = why;
        }
        // jittered, so that many processes do not come back at the same instant
        tokio::time::sleep(wait.mul_f64(rand::random_range(0.8..1.2))).await;
        wait = (wait * 2).min(LONGEST);
    }
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;

    use super::*;

    async fn opened(patience: Patience, fails: u32, passes: bool) -> (Result<u32, String>, u32) {
        let asked = Cell::new(0);
        let answer = open(
            "the server",
            patience,
            |_| passes,
            || {
                asked.set(asked.get() + 1);
                let n = asked.get();
                async move {
                    if n > fails {
                        Ok(n)
                    } else {
                        Err("nobody is there".to_owned())
                    }
                }
            },
        )
        .await;
        (answer, asked.get())
    }

    #[tokio::test(start_paused = true)]
    async fn what_may_pass_is_waited_for_and_a_mistake_is_not() {
        assert_eq!(opened(Patience::Forever, 20, true).await, (Ok(21), 21));
        let (answer, asked) = opened(Patience::Forever, 20, false).await;
        assert!(answer.is_err() && asked == 1);
        let (answer, asked) = opened(Patience::Once, 20, true).await;
        assert!(answer.is_err() && asked == 1);
    }
}
