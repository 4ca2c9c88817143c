//! `homelog token`: works on the control store directly, also while `homelog up` runs.

use control::{ControlStore, NewApiToken, TokenSecret};
use schemas::{Timestamp, time::parse_duration};

use super::user::{open, say, username};
use crate::{
    cli::{CreateTokenArgs, TokenCommand},
    env::Env,
    outcome::Failure,
};

pub(crate) async fn run(command: TokenCommand, env: &Env) -> Result<(), Failure> {
    match command {
        TokenCommand::Create(args) => create(args, env).await,
    }
}

async fn create(args: CreateTokenArgs, env: &Env) -> Result<(), Failure> {
    let now = Timestamp::now();
    let user = username(&args.user)?;
    let expires = args
        .expires
        .as_deref()
        .map(parse_duration)
        .transpose()
        .map_err(|e| Failure::usage(format!("homelog: --expires: {e}")))?
        .map(|millis| now.plus_millis(millis));
    let secret = TokenSecret::random()?;
    let new = NewApiToken {
        id: secret.id.clone(),
        hash: secret.hash(),
        name: args.name,
        user,
        role: args.role,
        expires,
    };
    let token = open(&args.data, env)
        .await?
        .create_api_token(new, now)
        .await?;
    let ends = token
        .expires
        .map_or_else(|| "never ends".to_owned(), |time| format!("ends {time}"));
    eprintln!(
        "token {} for `{}` of {} as {}, {ends}; it is shown this once:",
        token.id.as_str(),
        token.name,
        token.user,
        token.role.as_str()
    );
    say(&secret.reveal())
}
