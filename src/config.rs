//! The settings of a deployment: every `[vars]` entry and secret of wrangler.toml, one to one, read into a type that can only
//! be right. A setting that is not there has its default (`defaults`). A secret or a binding that is missing, and what is malformed, is
//! said by name, and nothing is taken until it is right.

use std::{cell::OnceCell, rc::Rc, time::Duration};

use upload_access::{
    cors::{AllowedHeaders, AllowedOrigins, Cors},
    token::Secret,
};
use upload_protocols::{address::BasePath, form::AllowedRedirects};
use upload_session::{
    event::RetryPolicy,
    quota::Quota,
    receivers::Receivers,
    retention::IDEMPOTENCY_MS,
    session::{LATEST_END_MS, Policy},
};
use upload_types::{
    api_error::ApiError,
    media_types::MediaTypes,
    object_key::KeyTemplate,
    plan::Limits,
    units::{ByteCount, MIB},
    upload::Purpose,
};
use web_sys::Url;
use worker::Env;

use crate::{
    address_settings::{base_path, host_name, problems_url, public_files, public_max_age, public_url},
    bindings,
    receivers::{self, EventReceivers},
    setting::{
        Complaint, Complaints, active_secrets, bound, byte_count, is_unseen_address, milliseconds, missing, number,
        text, webhook_secrets,
    },
    signed_post::Receiver,
    token_settings::{self, TokenSettings},
};

/// What comes of an event that is not given time to be told.
const RESENT_AT_ONCE: &str = "an event would be handed out again before it has been told";

/// As long as an answer waits for the object.
const LONGEST_RESULT_WAIT_MS: u64 = 25_000;

/// What `ORIGIN` and `ACCEPT` are asked for where no setting says it.
const ORIGIN_URL: &str = "https://origin/webhooks/quayside";
const ACCEPT_URL: &str = "https://accept/webhooks/quayside";

/// The settings as they are, right or wrong.
pub(crate) struct Settings {
    /// All of them, or what is wrong with those that are.
    config: Result<Config, ApiError>,
    /// `CORS_ORIGINS` and `CORS_HEADERS`, apart from the rest, for answers that must have their headers even where the rest is
    /// wrong. A list that cannot be read allows nobody, and nothing beside our own headers.
    pub(crate) cors: Cors,
    /// `BASE_PATH`, apart from the rest for the same reason. One that cannot be read is none.
    pub(crate) base_path: BasePath,
    /// `PROBLEMS_URL`, likewise; none where it is empty.
    pub(crate) problems_url: Option<String>,
    /// The name of the host in `PUBLIC_FILES_URL`, likewise: nothing but public files is there, also where the rest is wrong.
    public_files_host: Option<String>,
}

impl Settings {
    /// Those of this deployment. They are read once: an isolate serves one version of a Worker, whose settings never change.
    pub(crate) fn of(env: &Env) -> Rc<Self> {
        thread_local! {
            static READ: OnceCell<Rc<Settings>> = const { OnceCell::new() };
        }
        READ.with(|read| Rc::clone(read.get_or_init(|| Rc::new(Self::read(env)))))
    }

    fn read(env: &Env) -> Self {
        let (origins, headers) = (cors_origins(env).unwrap_or_default(), cors_headers(env).unwrap_or_default());
        let base_path = base_path(env).unwrap_or_default();
        let problems_url = problems_url(env).unwrap_or_default();
        let public_files_host = public_files(env, public_url(env).unwrap_or_default().as_deref()).unwrap_or_default();
        let public_files_host = public_files_host.as_deref().and_then(host_name);
        let (config, cors) = (Config::read(env), Cors { origins, headers });
        Self { config, cors, base_path, problems_url, public_files_host }
    }

    /// Whether this is an address of the host on which there are public files, and nothing else. By whatever scheme and port: the name decides.
    pub(crate) fn is_of_public_files(&self, url: &Url) -> bool {
        let host = self.public_files_host.as_deref();
        host.is_some_and(|host| url.hostname().trim_end_matches('.') == host)
    }

    /// All of them, where they are right.
    pub(crate) fn config(&self) -> Result<&Config, &ApiError> {
        self.config.as_ref()
    }
}

/// The settings.
#[derive(Clone)]
pub(crate) struct Config {
    /// `AUTH`.
    pub(crate) auth: Auth,
    /// `PUBLIC_URL`, without a slash at its end; none where it is empty.
    pub(crate) public_url: Option<String>,
    /// `BASE_PATH`.
    pub(crate) base_path: BasePath,
    /// `PUBLIC_FILES_URL`, without a slash at its end; none where it is empty.
    pub(crate) public_files: Option<String>,
    /// `PUBLIC_FILES_MAX_AGE_SECONDS`.
    pub(crate) public_max_age_seconds: u32,
    /// `MAX_UPLOAD_BYTES` and `MAX_CHUNK_BYTES`.
    pub(crate) limits: Limits,
    /// `QUOTA_OPEN_UPLOADS`, `QUOTA_OPEN_BYTES`, `QUOTA_BYTES_PER_DAY`, `QUOTA_STORED_BYTES` and `QUOTA_STORED_BYTES_SOFT`; zero is no bound.
    pub(crate) quota: Quota,
    /// `STALLED_BODY_SECONDS`.
    pub(crate) stalled_after: Duration,
    /// `UPLOAD_TTL_SECONDS`, `TOMBSTONE_TTL_SECONDS`, `OUTBOX_RESEND_SECONDS`, `REPAIR_TTL_SECONDS`, and whether there is an origin.
    pub(crate) policy: Policy,
    /// `DELETE_COMPLETED`.
    pub(crate) delete_completed: DeleteCompleted,
    /// The binding `ORIGIN`, or `ORIGIN_WEBHOOK_URL`; none where neither is there.
    pub(crate) origin: Option<Receiver>,
    /// The binding `ACCEPT`, or `ACCEPT_HOOK`; none where neither is there.
    pub(crate) accept: Option<Receiver>,
    /// `WEBHOOK_TIMEOUT_SECONDS`.
    pub(crate) webhook_timeout_ms: u64,
    /// `RESULT_WAIT_SECONDS`.
    pub(crate) result_ms: u64,
    /// `DELIVERY_FIRST_DELAY_SECONDS` and `DELIVERY_MAX_ATTEMPTS`.
    pub(crate) retry: RetryPolicy,
    /// `DOWNLOAD_URL_TTL_SECONDS`.
    pub(crate) download_url_ttl_seconds: u64,
    /// `OBJECT_KEY`.
    pub(crate) object_key: KeyTemplate,
    /// `FORM_REDIRECTS`.
    pub(crate) form_redirects: AllowedRedirects,
    /// `ALLOWED_TYPES`; none where it is empty.
    pub(crate) types: Option<MediaTypes>,
    /// `EVENT_RECEIVERS` and `SCANNER`.
    pub(crate) receivers: EventReceivers,
    /// The secret `WEBHOOK_SECRET`: one, or the newest and the one before it. Each signs every event.
    pub(crate) webhook_secrets: Vec<Secret>,
    /// The secret `DOWNLOAD_SECRET`: one, or the newest and the one before it. The first signs, and both verify.
    pub(crate) download_secrets: Vec<Secret>,
}

/// Who may upload.
#[derive(Clone)]
pub(crate) enum Auth {
    /// Anybody on this machine.
    Open,
    /// Whoever has a token.
    Tokens(TokenSettings),
}

/// Who may delete an upload that is complete, where tokens are needed.
#[derive(Clone, Copy, Default, PartialEq)]
pub(crate) enum DeleteCompleted {
    /// Whoever has a token in which the application says so.
    #[default]
    Claim,
    /// Any token of its owner that has not expired.
    Owner,
}

impl Config {
    /// Who hears of an upload that is created now, beside the origin. Of a partial upload nobody does; of one that is to be held the scanner
    /// does, too.
    pub(crate) fn audience(&self, purpose: &Purpose, hold: bool) -> Receivers {
        if *purpose == Purpose::Partial { Receivers::default() } else { self.receivers.audience(hold) }
    }

    /// What is wrong with them only where others rely on it: on a deployed Worker.
    pub(crate) fn is_safe(&self) -> Result<(), Complaint> {
        if self.policy.tombstone_ms < IDEMPOTENCY_MS {
            let complaint = "is below 86400, a day, for which an Idempotency-Key is remembered: a creation that is repeated \
                             would upload a file again that is there";
            return Err(missing("TOMBSTONE_TTL_SECONDS", complaint));
        }
        Ok(())
    }

    /// Reads the settings; refuses naming each that is missing or malformed.
    fn read(env: &Env) -> Result<Self, ApiError> {
        let mut wrong = Complaints::default();
        let config = Self::hear(env, &mut wrong);
        // On the machine itself (`AUTH = "open"`) times may be as short as somebody wants to see them pass.
        if let Some(config @ Self { auth: Auth::Tokens(_), .. }) = &config {
            wrong.hear(config.is_safe());
        }
        wrong.all()?;
        config.ok_or_else(|| ApiError::NotConfigured { detail: "A setting cannot be read.".to_owned() })
    }

    /// Each setting is looked at before any is missed.
    fn hear(env: &Env, wrong: &mut Complaints) -> Option<Self> {
        wrong.hear(bindings::all_bound(env));
        wrong.hear(bindings::runtime_fits());
        wrong.hear(cors_origins(env));
        wrong.hear(cors_headers(env));
        wrong.hear(problems_url(env));
        let origin = wrong.hear_or_default(origin(env));
        let accept = wrong.hear_or_default(accept(env));
        let receivers = receivers::read(env, wrong);
        let public_url = wrong.hear_or_default(public_url(env));
        // What is signed and stored never takes its host from a request: whoever sends one chooses that.
        if matches!((&origin, &public_url), (Some(origin), None) if origin.is_remote()) {
            let hint = "is empty, and ORIGIN_WEBHOOK_URL is not: events have links in them. Set it to the scheme and the host under \
                        which this Worker is reached, like https://upload.example.com";
            wrong.hear::<()>(Err(missing("PUBLIC_URL", hint)));
        }
        if receivers.has_remote() && public_url.is_none() {
            let hint = "is empty, and EVENT_RECEIVERS or SCANNER has addresses: events have links in them. Set it to the scheme and the host under \
                        which this Worker is reached, like https://upload.example.com";
            wrong.hear::<()>(Err(missing("PUBLIC_URL", hint)));
        }
        let base_path = wrong.hear_or_default(base_path(env));
        let public_files = wrong.hear_or_default(public_files(env, public_url.as_deref()));
        let public_max_age_seconds = wrong.hear_or_default(public_max_age(env));
        let auth = auth(env, wrong);
        let max_upload_bytes = wrong.hear_or_default(byte_count(env, "MAX_UPLOAD_BYTES"));
        let max_chunk_bytes = wrong.hear_or_default(max_chunk_bytes(env));
        let open_uploads = wrong.hear_or_default(bound(env, "QUOTA_OPEN_UPLOADS"));
        let open_bytes = wrong.hear_or_default(bound(env, "QUOTA_OPEN_BYTES"));
        let bytes_per_day = wrong.hear_or_default(bound(env, "QUOTA_BYTES_PER_DAY"));
        let stored_bytes = wrong.hear_or_default(bound(env, "QUOTA_STORED_BYTES"));
        let stored_bytes_soft = wrong.hear_or_default(bound(env, "QUOTA_STORED_BYTES_SOFT"));
        let stalled_after = wrong.hear_or_default(some_milliseconds(
            env,
            "STALLED_BODY_SECONDS",
            "every body would be refused at once",
        ));
        let ttl_ms = wrong.hear_or_default(upload_ttl(env));
        let tombstone_ms = wrong.hear_or_default(milliseconds(env, "TOMBSTONE_TTL_SECONDS"));
        let resend_ms = wrong.hear_or_default(some_milliseconds(env, "OUTBOX_RESEND_SECONDS", RESENT_AT_ONCE));
        let repair_ms = wrong.hear_or_default(repair_ttl(env));
        let delete_completed = wrong.hear_or_default(delete_completed(env));
        let webhook_timeout_ms =
            wrong.hear_or_default(some_milliseconds(env, "WEBHOOK_TIMEOUT_SECONDS", "no event would ever be told"));
        let result_ms = wrong.hear_or_default(result_wait(env));
        let first_delay_seconds = wrong.hear_or_default(number(env, "DELIVERY_FIRST_DELAY_SECONDS"));
        let max_attempts = wrong.hear_or_default(number(env, "DELIVERY_MAX_ATTEMPTS"));
        let download_url_ttl_seconds = wrong.hear_or_default(number(env, "DOWNLOAD_URL_TTL_SECONDS"));
        // The log reads it, wherever a line is written.
        wrong.hear(number::<u32>(env, "LOG_CHUNKS"));
        let object_key = wrong.hear_or_default(object_key(env));
        let form_redirects = wrong.hear_or_default(form_redirects(env));
        let types = wrong.hear_or_default(types(env));
        let webhook_secrets = wrong.hear_or_default(webhook_secrets(env, "WEBHOOK_SECRET"));
        let download_secrets = wrong.hear_or_default(download_secrets(env));
        Some(Self {
            auth: auth?,
            public_url,
            base_path,
            public_files,
            public_max_age_seconds,
            limits: Limits { max_upload_bytes, max_chunk_bytes },
            quota: Quota { open_uploads, open_bytes, bytes_per_day, stored_bytes, stored_bytes_soft },
            stalled_after: Duration::from_millis(stalled_after),
            policy: Policy { ttl_ms, tombstone_ms, resend_ms, tell_origin: origin.is_some(), repair_ms },
            delete_completed,
            origin,
            accept,
            webhook_timeout_ms,
            result_ms,
            retry: RetryPolicy { first_delay_seconds, max_attempts },
            download_url_ttl_seconds,
            object_key,
            form_redirects,
            types,
            receivers,
            webhook_secrets,
            download_secrets,
        })
    }
}

/// Whoever can see what is told has the links that are told. A binding is asked for any address.
fn origin(env: &Env) -> Result<Option<Receiver>, Complaint> {
    const NAME: &str = "ORIGIN_WEBHOOK_URL";
    let url = Some(text(env, NAME)?).filter(|url| !url.is_empty());
    let is_seen = url.as_ref().is_some_and(|url| !is_unseen_address(url));
    let origin = Receiver::of(env, bindings::ORIGIN, url, ORIGIN_URL);
    if is_seen && origin.as_ref().is_some_and(Receiver::is_remote) {
        return Err(missing(NAME, "is not an address that begins with https://"));
    }
    Ok(origin)
}

/// Whoever can change the answer on its way can let in what the application refuses.
fn accept(env: &Env) -> Result<Option<Receiver>, Complaint> {
    const NAME: &str = "ACCEPT_HOOK";
    let url = Some(text(env, NAME)?).filter(|url| !url.is_empty());
    if !url.as_ref().is_none_or(|url| is_unseen_address(url)) {
        return Err(missing(NAME, "is not an address that begins with https://"));
    }
    Ok(Receiver::of(env, bindings::ACCEPT, url, ACCEPT_URL))
}

/// A time that is none does not switch anything off: `then` says what would come of it.
fn some_milliseconds(env: &Env, name: &str, then: &str) -> Result<u64, Complaint> {
    match milliseconds(env, name)? {
        0 => Err(missing(name, &format!("is 0: {then}"))),
        time_ms => Ok(time_ms),
    }
}

/// What would be promised and could not be kept is refused at each upload.
fn upload_ttl(env: &Env) -> Result<u64, Complaint> {
    const NAME: &str = "UPLOAD_TTL_SECONDS";
    let ttl_ms = some_milliseconds(env, NAME, "every upload would expire at once")?;
    if ttl_ms > LATEST_END_MS {
        let longest = LATEST_END_MS / 1000;
        let why = format!("is above {longest} (6.5 days): R2 drops unfinished uploads 7 days after they were created");
        return Err(missing(NAME, &why));
    }
    Ok(ttl_ms)
}

/// Zero switches it off. What is kept ends with the upload's longest life at the latest.
fn repair_ttl(env: &Env) -> Result<u64, Complaint> {
    const NAME: &str = "REPAIR_TTL_SECONDS";
    let ttl_ms = milliseconds(env, NAME)?;
    if ttl_ms > LATEST_END_MS {
        let longest = LATEST_END_MS / 1000;
        return Err(missing(NAME, &format!("is above {longest} (6.5 days), the longest life of an unfinished upload")));
    }
    Ok(ttl_ms)
}

fn result_wait(env: &Env) -> Result<u64, Complaint> {
    const NAME: &str = "RESULT_WAIT_SECONDS";
    let wait_ms = milliseconds(env, NAME)?;
    if wait_ms > LONGEST_RESULT_WAIT_MS {
        return Err(missing(NAME, "is above 25: clients and proxies give up after 30 seconds"));
    }
    Ok(wait_ms)
}

fn delete_completed(env: &Env) -> Result<DeleteCompleted, Complaint> {
    match text(env, "DELETE_COMPLETED")?.as_str() {
        "claim" => Ok(DeleteCompleted::Claim),
        "owner" => Ok(DeleteCompleted::Owner),
        _ => Err(missing("DELETE_COMPLETED", "is neither \"claim\" nor \"owner\"")),
    }
}

fn cors_origins(env: &Env) -> Result<AllowedOrigins, Complaint> {
    const NAME: &str = "CORS_ORIGINS";
    AllowedOrigins::parse(&text(env, NAME)?).map_err(|complaint| missing(NAME, complaint))
}

fn cors_headers(env: &Env) -> Result<AllowedHeaders, Complaint> {
    const NAME: &str = "CORS_HEADERS";
    AllowedHeaders::parse(&text(env, NAME)?).map_err(|complaint| missing(NAME, complaint))
}

fn max_chunk_bytes(env: &Env) -> Result<ByteCount, Complaint> {
    const NAME: &str = "MAX_CHUNK_BYTES";
    let bytes = byte_count(env, NAME)?;
    if bytes.get() < 5 * MIB {
        return Err(missing(NAME, "is below 5 MiB, the smallest part that R2 takes"));
    }
    Ok(bytes)
}

fn auth(env: &Env, wrong: &mut Complaints) -> Option<Auth> {
    match wrong.hear(text(env, "AUTH"))?.as_str() {
        "open" => Some(Auth::Open),
        "token" => token_settings::read(env, wrong).map(Auth::Tokens),
        _ => wrong.hear(Err(missing("AUTH", "is neither \"token\" nor \"open\""))),
    }
}

fn object_key(env: &Env) -> Result<KeyTemplate, Complaint> {
    const NAME: &str = "OBJECT_KEY";
    KeyTemplate::parse(&text(env, NAME)?).map_err(|complaint| missing(NAME, complaint))
}

fn form_redirects(env: &Env) -> Result<AllowedRedirects, Complaint> {
    const NAME: &str = "FORM_REDIRECTS";
    AllowedRedirects::parse(&text(env, NAME)?).map_err(|complaint| missing(NAME, complaint))
}

fn types(env: &Env) -> Result<Option<MediaTypes>, Complaint> {
    const NAME: &str = "ALLOWED_TYPES";
    let list = text(env, NAME)?;
    if list.is_empty() {
        return Ok(None);
    }
    MediaTypes::parse(list.split(',')).map(Some).map_err(|complaint| missing(NAME, complaint))
}

fn download_secrets(env: &Env) -> Result<Vec<Secret>, Complaint> {
    const NAME: &str = "DOWNLOAD_SECRET";
    let secrets = active_secrets(env, NAME)?.into_iter().map(Secret::new).collect::<Option<_>>();
    secrets.ok_or_else(|| missing(NAME, "is shorter than 32 characters"))
}
