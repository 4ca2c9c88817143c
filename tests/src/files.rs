//! Reads the database files with plain `sqlite3`, knowing nothing of the code that wrote them.

use std::path::Path;

use anyhow::{Context, Result, ensure};
use tokio::process::Command;

/// Rows of a query, columns split at `|`. Works on a copy: opening a database after a crash would already mend it.
pub async fn rows(file: &Path, sql: &str) -> Result<Vec<Vec<String>>> {
    let copies = tempfile::tempdir()?;
    let name = file.file_name().context("no file name")?.to_os_string();
    for suffix in ["", "-wal"] {
        let (mut from, mut to) = (file.as_os_str().to_os_string(), name.clone());
        from.push(suffix);
        to.push(suffix);
        if Path::new(&from).exists() {
            std::fs::copy(&from, copies.path().join(&to))?;
        }
    }
    let output = Command::new("sqlite3")
        .arg(copies.path().join(&name))
        .arg(sql)
        .output()
        .await
        .context("sqlite3 is not installed: apt-get install sqlite3")?;
    ensure!(
        output.status.success(),
        "{}: {}",
        file.display(),
        String::from_utf8_lossy(&output.stderr)
    );
    Ok(String::from_utf8(output.stdout)?
        .lines()
        .map(|line| line.split('|').map(str::to_owned).collect())
        .collect())
}

/// The first column of the first row as a number.
pub async fn number(file: &Path, sql: &str) -> Result<u64> {
    let rows = rows(file, sql).await?;
    let text = rows
        .first()
        .and_then(|row| row.first())
        .with_context(|| format!("{sql} gave no row"))?;
    text.parse().with_context(|| format!("{sql} gave `{text}`"))
}

/// Bytes that sqlite3 printed with `hex()`.
pub fn unhex(text: &str) -> Result<Vec<u8>> {
    ensure!(
        text.len().is_multiple_of(2),
        "odd number of hexadecimal digits"
    );
    (0..text.len())
        .step_by(2)
        .map(|at| {
            let pair = text.get(at..at + 2).context("not hexadecimal")?;
            Ok(u8::from_str_radix(pair, 16)?)
        })
        .collect()
}
