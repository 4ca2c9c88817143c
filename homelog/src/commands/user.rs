//! `homelog user`: works on the control store directly, also while `homelog up` runs.

use std::io::{BufRead, IsTerminal, Write};

use anyhow::Context;
use control::{NewUser, Passwords, UserChange, Username, limits, password};
use schemas::Timestamp;
use secrecy::SecretString;

use crate::{
    cli::{AddUserArgs, PlaceArgs, ResetPasswordArgs, UserCommand},
    data_dir,
    env::Env,
    outcome::Failure,
    place::{Needs, Place},
};

pub(crate) async fn run(command: UserCommand, env: &Env) -> Result<(), Failure> {
    match command {
        UserCommand::Add(args) => add(args, env).await,
        UserCommand::ResetPassword(args) => reset_password(args, env).await,
        UserCommand::List(args) => list(&args, env).await,
    }
}

/// The control store that is meant.
pub(super) fn place(args: &PlaceArgs, made: bool, env: &Env) -> Result<Place, Failure> {
    let needs = Needs {
        control: true,
        ..Needs::default()
    };
    Place::new(args, needs, made, env)
}

/// Reads a name, or says what a name is.
pub(super) fn username(text: &str) -> Result<Username, Failure> {
    Username::new(text).map_err(|e| Failure::usage(format!("homelog: {e}")))
}

async fn add(args: AddUserArgs, env: &Env) -> Result<(), Failure> {
    let name = username(&args.name)?;
    // the one command that may come before the first start
    let place = place(&args.place, true, env)?;
    if let Some(dir) = &place.data {
        if !dir.exists() {
            say(&format!("there was no data yet: {} is made", dir.display()))?;
        }
        data_dir::create(dir)?;
    }
    let store = place.control().await?;
    if store.user(&name).await?.is_some() {
        return Err(anyhow::anyhow!(
            "there is a user `{name}` already: `homelog user reset-password {name}` gives a new password"
        )
        .into());
    }
    let password = read_password(&name, args.password_stdin)?;
    let new = NewUser {
        password: Passwords::new().hash(password).await?,
        role: args.role,
        name,
    };
    let user = store.create_user(new, Timestamp::now()).await?;
    say(&format!("user `{}` is {}", user.name, user.role.as_str()))
}

async fn reset_password(args: ResetPasswordArgs, env: &Env) -> Result<(), Failure> {
    let name = username(&args.name)?;
    let store = place(&args.place, false, env)?.control().await?;
    if store.user(&name).await?.is_none() {
        return Err(anyhow::anyhow!(
            "there is no user `{name}`: `homelog user list` shows all of them"
        )
        .into());
    }
    let password = read_password(&name, args.password_stdin)?;
    let change = UserChange {
        password: Some(Passwords::new().hash(password).await?),
        ..UserChange::default()
    };
    store.change_user(&name, change).await?;
    say(&format!(
        "user `{name}` has a new password; all sessions of `{name}` ended"
    ))
}

async fn list(args: &PlaceArgs, env: &Env) -> Result<(), Failure> {
    let users = place(args, false, env)?.control().await?.users().await?;
    if users.is_empty() {
        return say("there is no user yet: open the set-up link that `homelog up` prints");
    }
    let width = users
        .iter()
        .map(|u| u.name.as_str().len())
        .max()
        .unwrap_or(0)
        .max(4);
    say(&format!(
        "{:width$}  {:8}  {:7}  {:24}  LAST LOGIN",
        "NAME", "ROLE", "ENABLED", "CREATED"
    ))?;
    for user in users {
        let last = user
            .last_login
            .map_or_else(|| "never".to_owned(), |time| time.to_string());
        say(&format!(
            "{:width$}  {:8}  {:7}  {:24}  {last}",
            user.name.as_str(),
            user.role.as_str(),
            if user.enabled { "yes" } else { "no" },
            user.created.to_string(),
        ))?;
    }
    Ok(())
}

/// Prints a line; a reader who left is no failure.
pub(super) fn say(line: &str) -> Result<(), Failure> {
    match writeln!(std::io::stdout(), "{line}") {
        Err(e) if e.kind() == std::io::ErrorKind::BrokenPipe => Ok(()),
        other => Ok(other.context("stdout cannot be written to")?),
    }
}

/// Reads a password: hidden and twice from a terminal, or the first line of stdin.
fn read_password(name: &Username, from_stdin: bool) -> Result<SecretString, Failure> {
    let password = if from_stdin || !std::io::stdin().is_terminal() {
        first_line(std::io::stdin().lock())?
    } else {
        let first = rpassword::prompt_password(format!("Password of {name}: "))
            .context("the password cannot be asked for: give it with --password-stdin")?;
        let second = rpassword::prompt_password("The same again: ")
            .context("the password cannot be asked for: give it with --password-stdin")?;
        if first != second {
            return Err(anyhow::anyhow!("the two passwords differ: try again").into());
        }
        SecretString::from(first)
    };
    password::check(name, &password).map_err(|e| anyhow::anyhow!("{e}"))?;
    Ok(password)
}

fn first_line(input: impl BufRead) -> anyhow::Result<SecretString> {
    let mut line = String::new();
    // room for the line break, and one more to see that it is too long
    input
        .take(limits::PASSWORD_MAX as u64 + 3)
        .read_line(&mut line)
        .context("the password cannot be read from stdin")?;
    let text = line.trim_end_matches(['\r', '\n']);
    anyhow::ensure!(
        !text.is_empty(),
        "there is no password on stdin: write it on the first line"
    );
    Ok(SecretString::from(text))
}

#[cfg(test)]
mod tests {
    use secrecy::ExposeSecret;

    use super::*;

    #[test]
    fn the_first_line_is_the_password() {
        let read = |text: &str| first_line(text.as_bytes()).map(|p| p.expose_secret().to_owned());
        assert_eq!(read("correct horse\nmore").unwrap(), "correct horse");
        assert_eq!(read("with cr\r\n").unwrap(), "with cr");
        assert_eq!(read("no end").unwrap(), "no end");
        assert!(read("").is_err() && read("\n").is_err());
    }
}
