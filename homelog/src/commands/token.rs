//! `homelog token`: works on the control store directly, also while `homelog up` runs.

use anyhow::Context;
use control::{ControlStore, NewApiToken, TokenSecret, Username};
use event_log::http::Enrolment;
use schemas::{Timestamp, api::Role, time::parse_duration};
use secrecy::SecretString;

use super::user::{place, say, username};
use crate::{
    cli::{CreateTokenArgs, TokenCommand},
    env::Env,
    outcome::Failure,
    place::Place,
    roles,
};

pub(crate) async fn run(command: TokenCommand, env: &Env) -> Result<(), Failure> {
    match command {
        TokenCommand::Create(args) => create(args, env).await,
    }
}

async fn create(args: CreateTokenArgs, env: &Env) -> Result<(), Failure> {
    let now = Timestamp::now();
    let place = place(&args.place, false, env)?;
    let expires = args
        .expires
        .as_deref()
        .map(parse_duration)
        .transpose()
        .map_err(|e| Failure::usage(format!("homelog: --expires: {e}")))?
        .map(|millis| now.plus_millis(millis));
    let hub = match &args.agent {
        Some(_) => Some(hub(args.hub.as_deref(), &place)?),
        None => None,
    };
    let user = args.user.as_deref().map(username).transpose()?;
    let store = place.control().await?;
    let user = match user {
        Some(user) => user,
        None => first_admin(&*store).await?,
    };
    let secret = TokenSecret::random()?;
    let name = match (&args.name, &args.agent) {
        (Some(name), _) => name.clone(),
        (None, Some(agent)) => format!("agent {agent}"),
        (None, None) => String::new(),
    };
    let new = NewApiToken {
        id: secret.id.clone(),
        hash: secret.hash(),
        name,
        user,
        role: args.role,
        agent: args.agent.clone(),
        expires,
    };
    let token = store.create_api_token(new, now).await?;
    let ends = token
        .expires
        .map_or_else(|| "never ends".to_owned(), |time| format!("ends {time}"));
    if let (Some(agent), Some(url)) = (&token.agent, hub) {
        // a certificate that this hub shows itself is pinned; a proxy's is judged by the agent's system
        let is_ours = !args.no_pin && url.starts_with("https://");
        let own = roles::tls(&place.config)?.filter(|_| is_ours);
        if own.is_some() && args.hub.is_some() {
            eprintln!(
                "homelog: the agent will believe the certificate of `[api]` at {url} and no other: if a proxy answers there, say --no-pin"
            );
        }
        let pin = match own {
            Some(tls) => http_client::Tls::Fingerprint(tls.fingerprint().parse()?),
            None => http_client::Tls::System,
        };
        eprintln!(
            "token {} for agent `{agent}`, {ends}; run this on the agent's machine, it is shown this once:",
            token.id.as_str()
        );
        let enrolment = Enrolment {
            url,
            tls: pin,
            token: SecretString::from(secret.reveal()),
        };
        return say(&format!(
            "echo '{}' | homelog collect --hub -",
            enrolment.reveal()
        ));
    }
    eprintln!(
        "token {} for `{}` of {} as {}, {ends}; it is shown this once:",
        token.id.as_str(),
        token.name,
        token.user,
        token.role.as_str()
    );
    say(&secret.reveal())
}

async fn first_admin(store: &dyn ControlStore) -> Result<Username, Failure> {
    let admin = store
        .users()
        .await?
        .into_iter()
        .find(|user| user.enabled && user.role == Role::Admin);
    Ok(admin
        .map(|user| user.name)
        .context("there is no admin yet whose token it could be: make one with `homelog user add NAME --role admin`, or name a user with --user")?)
}

/// The address by which agents reach this hub.
fn hub(given: Option<&str>, place: &Place) -> Result<String, Failure> {
    let url = if let Some(url) = given {
        url.trim_end_matches('/').to_owned()
    } else {
        let listen = place.config.api.listen;
        if listen.ip().is_loopback() {
            eprintln!(
                "homelog: [api] listen = \"{listen}\" is reached from this machine alone: agents elsewhere need `listen = \"0.0.0.0:{}\"`, or --hub URL for the address of a proxy",
                listen.port()
            );
        }
        let host = hostname::get().context("the name of this machine is not known")?;
        format!(
            "{}://{}:{}",
            roles::scheme(&place.config),
            host.to_string_lossy(),
            listen.port()
        )
    };
    // what an agent could not read is told here
    format!("{url}#token=x")
        .parse::<Enrolment>()
        .map_err(|e| Failure::usage(format!("homelog: --hub: {e}")))?;
    Ok(url)
}
