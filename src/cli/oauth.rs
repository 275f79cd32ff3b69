//! Oauth mode: the store, the start in the background, and the judge of tokens.

use std::sync::Arc;

use super::serve::failed;
use super::{Error, storage};
use crate::auth::introspection::AudienceRule;
use crate::auth::lines::log_event;
use crate::auth::metadata;
use crate::auth::startup::{Setup, Startup};
use crate::auth::verifier::{Rules, Verifier};
use crate::broker::login::{FlowLogin, NextcloudLogin, OidcLogin};
use crate::broker::{Broker, ClientDocumentCache, Terms};
use crate::config::{BaseUrl, Config, OAuth};
use crate::nextcloud::Outside;
use crate::server::Server;
use crate::store::Store;
use crate::transport::{Access, OAuthAccess};

/// What runs beside the listener in oauth mode.
pub(super) struct Running {
    startup: Arc<Startup>,
    outside: Arc<Outside>,
    public_web: Arc<Outside>,
    store: Arc<Store>,
    broker: Arc<Broker>,
}

/// Opens the store and begins the start; the port can answer at once, and `/health/ready` says how far it is.
pub(super) fn begin(
    config: &Config,
    oauth: &OAuth,
    nextcloud: &BaseUrl,
    server: &Server,
) -> Result<(Access, Running), Error> {
    let store = Arc::new(storage::open(&oauth.storage, &server.ids)?);
    let outside = Arc::new(server.nextcloud.outside());
    let startup = Arc::new(Startup::new(
        Setup::new(oauth.clone(), nextcloud, config.public_url.clone(), server.registry.scopes()),
        outside.clone(),
        store.clone(),
        server.clock.clone(),
        &server.ids,
        Box::new(log_event),
    ));
    startup.spawn().map_err(failed("starting OAuth"))?;
    let verifier =
        Verifier::new(rules(config, oauth), startup.clone(), outside.clone(), server.clock.clone());
    let public_web = Arc::new(server.nextcloud.public_web());
    let login = NextcloudLogin {
        startup: startup.clone(),
        oidc: OidcLogin {
            nextcloud: server.nextcloud.clone(),
            fetch: outside.clone(),
            public_url: config.public_url.clone(),
            public_issuer: oauth.public_issuer_url.clone(),
            clock: server.clock.clone(),
            ids: server.ids.clone(),
        },
        flow: FlowLogin {
            nextcloud: server.nextcloud.clone(),
            fetch: outside.clone(),
            internal: nextcloud.clone(),
            public: config.nextcloud.public_url.clone().unwrap_or_else(|| nextcloud.clone()),
        },
    };
    let broker = Arc::new(Broker::new(
        Terms { public_url: config.public_url.clone(), offered: server.registry.scopes() },
        store.clone(),
        Box::new(login),
        Box::new(ClientDocumentCache::new(public_web.clone(), server.clock.clone())),
        server.clock.clone(),
        server.ids.clone(),
    ));
    let access = Access::OAuth(OAuthAccess {
        verifier: Arc::new(verifier),
        public_url: config.public_url.clone(),
        public_issuer: oauth.public_issuer_url.clone(),
        direct_tokens: oauth.direct_tokens,
        scopes: server.registry.scopes(),
        broker: broker.clone(),
        clock: server.clock.clone(),
    });
    let kept = broker.clone();
    std::thread::Builder::new()
        .name("upkeep".into())
        .spawn(move || kept.keep_up())
        .map_err(failed("starting the upkeep"))?;
    Ok((access, Running { startup, outside, public_web, store, broker }))
}

impl Running {
    /// Ends what runs; the store is tidied up.
    pub(super) fn end(self) {
        self.startup.stop();
        self.broker.stop();
        self.outside.shutdown();
        self.public_web.shutdown();
        if let Err(error) = self.store.close() {
            log::warn!("the database was not tidied up error=\"{error}\"");
        }
    }
}

fn rules(config: &Config, oauth: &OAuth) -> Rules {
    Rules {
        resources: vec![metadata::resource(&config.public_url), config.public_url.to_string()],
        audiences: oauth.accepted_audiences.clone(),
        public_issuer: oauth.public_issuer_url.clone(),
        direct_tokens: oauth.direct_tokens,
        userinfo: oauth.userinfo_validation,
        // Nextcloud's oidc app calls a token active only to the client that it is for; another provider may not.
        audience_rule: match oauth.discovery_url {
            None => AudienceRule::ImpliedByActive,
            Some(_) => AudienceRule::Stated,
        },
    }
}
