//! A progress bar on stderr, for people only.

use std::{io::IsTerminal, time::Duration};

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

/// A bar over so many events, drawn when stderr is a terminal.
pub(super) fn bar(events: u64, what: &'static str) -> ProgressBar {
    drawn(
        events,
        what,
        "{msg} {wide_bar} {human_pos}/{human_len} events, {eta} left",
    )
}

/// A bar over so much time, in any unit.
pub(super) fn bar_of_time(length: u64, what: &'static str) -> ProgressBar {
    drawn(length, what, "{msg} {wide_bar} {percent} %, {eta} left")
}

fn drawn(length: u64, what: &'static str, template: &str) -> ProgressBar {
    let target = if std::io::stderr().is_terminal() {
        ProgressDrawTarget::stderr()
    } else {
        ProgressDrawTarget::hidden()
    };
    let bar = ProgressBar::with_draw_target(Some(length), target).with_message(what);
    if let Ok(style) = ProgressStyle::with_template(template) {
        bar.set_style(style);
    }
    if !bar.is_hidden() {
        bar.enable_steady_tick(Duration::from_millis(250));
    }
    bar
}
