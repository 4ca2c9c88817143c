use std::sync::Arc;

use reqwest::{Method, Url, redirect::Policy};
use rustls::client::Resumption;

use crate::{
    BuildError, Error, Options, Redirects, Request, Tls,
    address::{Resolver, is_link_local},
    error::OtherHost,
};

/// Makes requests under one set of [`Options`]; a handle that is cheap to clone and keeps connections for reuse.
#[derive(Clone, Debug)]
pub struct Client {
    pub(crate) inner: reqwest::Client,
    pub(crate) options: Arc<Options>,
}

impl Client {
    /// Sets a client up; reads the file of authorities if there is one (some milliseconds, at a start).
    ///
    /// # Errors
    /// The file cannot be used, or TLS does not start.
    pub fn new(options: Options) -> Result<Self, BuildError> {
        let mut builder = reqwest::Client::builder();
        if options.refuse_link_local {
            builder = builder.dns_resolver(Arc::new(Resolver));
        }
        let mut tls = options.tls.client_config(None)?;
        if options.fresh_connections {
            // a session that is taken up again has the certificate of its beginning
            tls.resumption = Resumption::disabled();
            builder = builder.pool_max_idle_per_host(0).tls_info(true);
        }
        let inner = builder
            .tls_backend_preconfigured(tls)
            .connect_timeout(options.connect_timeout)
            .read_timeout(options.read_timeout)
            .timeout(options.timeout)
            .pool_idle_timeout(options.idle_timeout)
            .redirect(policy(options.redirects))
            .user_agent(&options.user_agent)
            .no_proxy()
            // also for who takes the client underneath
            .https_only(options.tls.needs_tls())
            .referer(false)
            .build()
            .map_err(|e| BuildError::Options(e.to_string()))?;
        Ok(Self {
            inner,
            options: Arc::new(options),
        })
    }

    /// Whether it believes every server; whoever configured that should hear of it at every start.
    pub fn is_insecure(&self) -> bool {
        self.options.tls == Tls::Insecure
    }

    /// The client underneath, for a library that takes one. Bodies are then bounded by that library.
    pub const fn inner(&self) -> &reqwest::Client {
        &self.inner
    }

    /// Begins a request. What is wrong with its address is told when it is sent.
    pub fn request(&self, method: Method, url: &str) -> Request {
        Request::new(self, method, self.address(url))
    }

    /// Begins a GET.
    pub fn get(&self, url: &str) -> Request {
        self.request(Method::GET, url)
    }

    /// Begins a POST.
    pub fn post(&self, url: &str) -> Request {
        self.request(Method::POST, url)
    }

    fn address(&self, url: &str) -> Result<(Url, String), Error> {
        let bad = || Error::Address {
            // neither a password nor a token of the query
            url: url
                .split(['?', '#'])
                .next()
                .unwrap_or_default()
                .chars()
                .filter(|c| !c.is_control())
                .take(100)
                .collect::<String>()
                .split('@')
                .next_back()
                .unwrap_or_default()
                .to_owned(),
        };
        let parsed = Url::parse(url).map_err(|_| bad())?;
        let secure = match parsed.scheme() {
            "https" => true,
            "http" => false,
            _ => return Err(bad()),
        };
        let host = host_of(&parsed).ok_or_else(bad)?;
        if self.options.refuse_link_local && is_link_local(&parsed) {
            return Err(Error::LinkLocal { host });
        }
        if !secure && self.options.tls.needs_tls() {
            return Err(Error::Plain { host });
        }
        Ok((parsed, host))
    }
}

/// `host` or `host:port`.
pub(crate) fn host_of(url: &Url) -> Option<String> {
    let host = url.host_str().filter(|host| !host.is_empty())?;
    Some(match url.port() {
        Some(port) => format!("{host}:{port}"),
        None => host.to_owned(),
    })
}

fn policy(redirects: Redirects) -> Policy {
    let Redirects::SameHost(most) = redirects else {
        return Policy::none();
    };
    Policy::custom(move |attempt| {
        let to = attempt.url();
        let is_same = attempt.previous().first().is_some_and(|first| {
            first.scheme() == to.scheme()
                && first.host() == to.host()
                && first.port_or_known_default() == to.port_or_known_default()
        });
        if is_same && attempt.previous().len() <= most {
            attempt.follow()
        } else {
            let to = shown(to);
            attempt.error(OtherHost(to))
        }
    })
}

/// An address without what may be secret in it.
pub(crate) fn shown(url: &Url) -> String {
    let host = host_of(url).unwrap_or_default();
    let mut text = format!("{}://{host}{}", url.scheme(), url.path());
    if text.len() > 200 {
        let end = (0..=200).rev().find(|end| text.is_char_boundary(*end));
        text.truncate(end.unwrap_or(0));
    }
    text
}
