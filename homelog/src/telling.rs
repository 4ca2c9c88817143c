//! Log lines on stderr.

use std::io::IsTerminal;

use tracing_subscriber::{EnvFilter, filter::ParseError};

use crate::{
    cli::LogFormat,
    env::{Env, LOG},
    outcome::Failure,
};

/// What is told unless `HOMELOG_LOG` says otherwise.
const DEFAULT: &str = "info";

/// Starts telling. A second start in one process changes nothing.
pub(crate) fn start(format: LogFormat, env: &Env) -> Result<(), Failure> {
    let wanted = env
        .text(LOG)
        .map_err(|e| Failure::usage(format!("homelog: {e}")))?
        .unwrap_or(DEFAULT);
    let filter = filter(wanted)?;
    let builder = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(std::io::stderr);
    let started = match format {
        LogFormat::Json => builder.json().flatten_event(true).try_init(),
        LogFormat::Text => builder
            .with_target(false)
            .with_ansi(std::io::stderr().is_terminal())
            .try_init(),
    };
    // only tests start twice
    drop(started);
    Ok(())
}

/// What is told, but never what goes over a WebSocket: tokens are among it.
fn filter(wanted: &str) -> Result<EnvFilter, Failure> {
    let refused = |e: ParseError| {
        Failure::usage(format!(
            "homelog: {LOG}=`{}` is not a filter ({e}): write a level (error, warn, info, debug, trace), or `info,collector=debug`",
            schemas::name::excerpt(wanted)
        ))
    };
    let mut filter = EnvFilter::builder().parse(wanted).map_err(refused)?;
    for library in [
        "tungstenite=info",
        "tungstenite::protocol=info",
        "tungstenite::protocol::frame=info",
    ] {
        filter = filter.add_directive(library.parse().map_err(refused)?);
    }
    Ok(filter)
}

#[cfg(test)]
mod tests {
    use std::sync::{Arc, Mutex};

    use tracing::{subscriber::with_default, trace};

    use super::*;

    #[derive(Clone, Default)]
    struct Written(Arc<Mutex<Vec<u8>>>);

    impl std::io::Write for Written {
        fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
            self.0.lock().unwrap().write(bytes)
        }

        fn flush(&mut self) -> std::io::Result<()> {
            Ok(())
        }
    }

    #[test]
    fn what_goes_over_a_websocket_is_not_told_however_much_is_wanted() {
        for wanted in [
            "trace",
            "info,tungstenite=trace",
            "tungstenite::protocol=trace",
        ] {
            let written = Written::default();
            let writer = written.clone();
            let subscriber = tracing_subscriber::fmt()
                .with_env_filter(filter(wanted).unwrap())
                .with_writer(move || writer.clone())
                .finish();
            with_default(subscriber, || {
                trace!(target: "tungstenite::protocol", "a token");
                trace!(target: "tungstenite::protocol::frame", "a token");
                trace!(target: "tungstenite::protocol::frame::frame", "a token");
                trace!(target: "other", "other");
            });
            let written = String::from_utf8(written.0.lock().unwrap().clone()).unwrap();
            assert!(!written.contains("token"), "{wanted}: {written}");
            assert_eq!(written.contains("other"), wanted == "trace", "{written}");
        }
        assert!(filter("no=such=level").is_err());
    }
}
