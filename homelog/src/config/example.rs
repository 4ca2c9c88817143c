//! The example file, written from the types: every setting with its meaning and default.

use std::fmt::Write;

use collector::integrations;
use schemas::time::format_duration;

use super::{SECTIONS, section::SectionDoc};

const HEAD: &str = "\
# Every setting of Homelog with its default. All of them are optional: without a config file `homelog up` observes this
# host and its Docker Engine. `homelog check --config FILE` tells every mistake at once.
#
# Each value can also come from the environment, which wins over the file: HOMELOG_API__LISTEN for `listen` in [api],
# HOMELOG_SOURCE__NAS1__INTERVAL for `interval` of the source `nas1`. In the place of a secret `x`, `x_file` names a file
# that holds it; a relative path is meant from the directory of this file.
#
# Not settings, but also read from the environment: HOMELOG_LOG (which log lines are told, `info`), and
# HOMELOG_ADMIN_PASSWORD or HOMELOG_ADMIN_PASSWORD_FILE (the first start makes the user `admin` with it, in the place of
# the set-up link).
";

const SOURCES: &str = "\
# What is observed: one [[source]] for each. As soon as there is one, only those that are listed are observed.
#
# name       lab-unique name
# kind       what it is
# interval   time between polls; each kind has its own default
# timeout    how long a poll may take
#
# The kinds and their own options:
";

/// The text of `infra/homelog.example.toml`.
pub fn example() -> String {
    let mut out = HEAD.to_owned();
    for section in &SECTIONS {
        write_section(&mut out, section);
    }
    out.push('\n');
    out.push_str(SOURCES);
    for known in integrations::all() {
        write_source(&mut out, *known);
    }
    out
}

fn line(out: &mut String, text: std::fmt::Arguments<'_>) {
    // writing to a String does not fail
    let _written = out.write_fmt(text);
    out.push('\n');
}

fn write_section(out: &mut String, section: &SectionDoc) {
    out.push('\n');
    for doc in section.doc {
        line(out, format_args!("#{doc}"));
    }
    line(out, format_args!("[{}]", section.name));
    let mut kinds: &[&str] = &[];
    for option in section.options {
        if option.kinds != kinds {
            kinds = option.kinds;
            let named: Vec<_> = kinds.iter().map(|kind| format!("{kind:?}")).collect();
            out.push('\n');
            line(out, format_args!("# With kind = {}:", named.join(" or ")));
        }
        for doc in option.doc {
            line(out, format_args!("#{doc}"));
        }
        match option.like {
            Some(like) => line(out, format_args!("# {} = {like}", option.name)),
            None => line(
                out,
                format_args!("{} = {}", option.name, (option.default)()),
            ),
        }
        if option.secret {
            line(
                out,
                format_args!(
                    "# {0}_file = \"/run/secrets/{1}-{0}\"",
                    option.name, section.name
                ),
            );
        }
    }
}

fn write_source(out: &mut String, known: &dyn collector::Registration) {
    let kind = known.kind();
    out.push('\n');
    line(out, format_args!("# {}", known.help()));
    line(out, format_args!("# [[source]]"));
    line(out, format_args!("# name = \"my-{kind}\""));
    line(out, format_args!("# kind = \"{kind}\""));
    line(
        out,
        format_args!(
            "# interval = \"{}\"",
            format_duration(known.default_interval())
        ),
    );
    for text in known.example().lines() {
        line(out, format_args!("{text}"));
    }
}
