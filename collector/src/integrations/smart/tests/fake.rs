//! A program that answers as `smartctl` does, and notes what would have woken a disk.

use std::{
    io::Write,
    process::{Command, Stdio},
};

use serde_json::{Value, json};
use tempfile::TempDir;

const SCRIPT: &str = r#"#!/bin/sh
here=$(dirname "$0")
echo "$*" >>"$here/asked"
case "$1" in --scan) cat "$here/scan"; exit 0 ;; esac
for device; do :; done
disk=$here/$(basename "$device")
if [ -e "$disk.asleep" ]; then
  case "$1 $2" in
  "-n standby,"*)
    status=${2#standby,}
    printf '{"smartctl":{"messages":[{"string":"Device is in STANDBY mode, exit(%s)","severity":"information"}],"exit_status":%s}}' \
      "$status" "$status"
    exit "$status" ;;
  esac
  echo "$device" >>"$here/woken"
  exit 0
fi
[ ! -e "$disk.hangs" ] || exec sleep 60
cat "$disk.json"
exit "$(cat "$disk.exit")"
"#;

pub(super) struct Fake(TempDir);

impl Fake {
    pub(super) fn start() -> Self {
        let fake = Self(tempfile::tempdir().unwrap());
        // written by another process: a file that this one holds open for writing, also in a child of another test, cannot run
        let mut writer = Command::new("sh")
            .args(["-c", "cat >\"$0\" && chmod 755 \"$0\"", &fake.command()])
            .stdin(Stdio::piped())
            .spawn()
            .unwrap();
        let mut stdin = writer.stdin.take().unwrap();
        stdin.write_all(SCRIPT.as_bytes()).unwrap();
        drop(stdin);
        assert!(writer.wait().unwrap().success());
        fake
    }

    pub(super) fn command(&self) -> String {
        self.place("smartctl")
    }

    fn place(&self, name: &str) -> String {
        self.0.path().join(name).to_str().unwrap().to_owned()
    }

    fn lines(&self, name: &str) -> Vec<String> {
        let text = std::fs::read_to_string(self.place(name)).unwrap_or_default();
        text.lines().map(str::to_owned).collect()
    }

    pub(super) fn scan(&self, devices: &Value) {
        let answer = json!({"smartctl": {"exit_status": 0}, "devices": devices});
        std::fs::write(self.place("scan"), answer.to_string()).unwrap();
    }

    pub(super) fn disk(&self, name: &str, exit: u8, answer: &Value) {
        self.text(name, exit, &answer.to_string());
    }

    pub(super) fn text(&self, name: &str, exit: u8, answer: &str) {
        std::fs::write(self.place(&format!("{name}.json")), answer).unwrap();
        std::fs::write(self.place(&format!("{name}.exit")), exit.to_string()).unwrap();
    }

    pub(super) fn sleep(&self, name: &str, asleep: bool) {
        let mark = self.place(&format!("{name}.asleep"));
        if asleep {
            std::fs::write(mark, "").unwrap();
        } else {
            std::fs::remove_file(mark).unwrap();
        }
    }

    pub(super) fn hang(&self, name: &str) {
        std::fs::write(self.place(&format!("{name}.hangs")), "").unwrap();
    }

    /// Its arguments, a line each time.
    pub(super) fn asked(&self) -> Vec<String> {
        self.lines("asked")
    }

    /// Disks that would have begun to spin.
    pub(super) fn woken(&self) -> Vec<String> {
        self.lines("woken")
    }
}
