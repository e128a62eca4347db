//! Who hears of uploads beside the origin, as the settings `EVENT_RECEIVERS` and `SCANNER` say: what each is called, how it is reached, and with
//! what secrets that is signed. A secret is named there and read from where secrets are, so the setting itself is none.
//!
//! Which of them hear of an upload is stored with the upload when it is created ([`EventReceivers::audience`]); how they are reached is
//! asked for when they are told. So a receiver may move, and one that is listed no more is found by nobody ([`EventReceivers::find`]).

use upload_access::token::Secret;
use upload_session::{
    event::EventKind,
    receiver_list::{self, Entry, Way},
    receivers::{Receiver, Receivers, SCANNER_NAME},
};
use worker::Env;

use crate::{
    bindings,
    setting::{Complaint, Complaints, is_unseen_address, missing, text, webhook_secrets},
    signed_post,
};

const NAME: &str = "EVENT_RECEIVERS";
const SCANNER: &str = "SCANNER";

/// All of them.
#[derive(Clone, Default)]
pub(crate) struct EventReceivers(Vec<EventReceiver>);

/// One of them.
#[derive(Clone)]
pub(crate) struct EventReceiver {
    name: String,
    kinds: Vec<EventKind>,
    /// How it is reached.
    pub(crate) address: Address,
    /// What its events are signed with; nothing where they are not.
    pub(crate) secrets: Vec<Secret>,
}

/// How a receiver is reached.
#[derive(Clone)]
pub(crate) enum Address {
    /// By a request.
    Post(signed_post::Receiver),
    /// By the queue that is bound under this name.
    Queue(String),
}

impl EventReceivers {
    /// Who hears of an upload that is created now, and whether it is to be held.
    pub(crate) fn audience(&self, hold: bool) -> Receivers {
        let of = |one: &EventReceiver| Receiver { name: one.name.clone(), kinds: one.kinds.clone() };
        Receivers::new(self.0.iter().filter(|one| hold || one.name != SCANNER_NAME).map(of).collect())
    }

    /// The one with this name.
    pub(crate) fn find(&self, name: &str) -> Option<&EventReceiver> {
        self.0.iter().find(|one| one.name == name)
    }

    /// Whether one of them gets links over the network.
    pub(crate) fn has_remote(&self) -> bool {
        let is_remote = |one: &EventReceiver| match &one.address {
            Address::Post(receiver) => {
                let gets_links = one.name == SCANNER_NAME || one.kinds.iter().any(|kind| kind.has_link());
                gets_links && (receiver.is_remote() || one.name == SCANNER_NAME)
            }
            Address::Queue(_) => false,
        };
        self.0.iter().any(is_remote)
    }
}

/// Reads the settings, and looks for each binding and secret that they name. Either is looked at, also where the other is wrong.
pub(crate) fn read(env: &Env, wrong: &mut Complaints) -> EventReceivers {
    let mut receivers = wrong.hear_or_default(listed(env));
    receivers.extend(wrong.hear_or_default(scanner(env)));
    EventReceivers(receivers)
}

fn listed(env: &Env) -> Result<Vec<EventReceiver>, Complaint> {
    let entries = receiver_list::parse(&text(env, NAME)?).map_err(|complaint| missing(NAME, &complaint))?;
    let listed = entries.into_iter().enumerate().map(|(at, entry)| {
        let place = format!("entry {at} ({}): ", entry.name);
        receiver(env, NAME, &place, entry)
    });
    listed.collect()
}

fn scanner(env: &Env) -> Result<Option<EventReceiver>, Complaint> {
    let scanner = receiver_list::scanner(&text(env, SCANNER)?).map_err(|complaint| missing(SCANNER, &complaint))?;
    scanner.map(|entry| receiver(env, SCANNER, "", entry)).transpose()
}

fn receiver(env: &Env, setting: &str, place: &str, entry: Entry) -> Result<EventReceiver, Complaint> {
    let wrong = |what: &str| missing(setting, &format!("{place}{what}"));
    let host = entry.host().unwrap_or_default();
    let address = match &entry.way {
        Way::Url(url) if !is_unseen_address(url) => {
            return Err(wrong("url is not an address that begins with https://"));
        }
        Way::Url(url) => Address::Post(signed_post::Receiver::at(url.clone())),
        Way::Queue(binding) | Way::Service(binding) if bindings::is_own(binding) => {
            return Err(wrong(&format!("{binding} is a binding of this Worker's own")));
        }
        Way::Queue(binding) if !bindings::has(env, binding, "send") => {
            return Err(wrong(&format!(
                "{binding} is not bound to a queue in wrangler's configuration (queues.producers)"
            )));
        }
        Way::Queue(binding) => Address::Queue(binding.clone()),
        Way::Service(binding) if !bindings::has(env, binding, "fetch") => {
            return Err(wrong(&format!("{binding} is not bound to a service in wrangler's configuration (services)")));
        }
        Way::Service(binding) => {
            Address::Post(signed_post::Receiver::bound(binding.clone(), format!("https://{host}/webhooks/quayside")))
        }
    };
    let secrets = entry.secret.as_deref().map(|secret| webhook_secrets(env, secret)).transpose()?.unwrap_or_default();
    Ok(EventReceiver { name: entry.name, kinds: entry.kinds, address, secrets })
}
