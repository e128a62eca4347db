//! A new upload: the application is asked, where it wants to be, the owner's ledger admits it, and its object is created. Or there is nothing to create, because the same
//! creation was asked before, or because the same bytes are stored already.

use durable_objects::platform::error::{Error, Result};
use durable_objects::platform::telemetry::log_line::LogLine;
use durable_objects::rpc::{
    ObjectClient, call,
    ledger::{Admit, CloseUpload, ReleaseLink},
    upload::{Begun, CreateUpload, Status},
};
use upload_access::token::upload_token;
use upload_session::{
    retention::ENTRY_GRACE_MS,
    session::{BeginAppend, Policy, UploadSpec, WriteLease},
};
use upload_types::{
    api_error::ApiError,
    bucket::BucketName,
    ledger::{Entry, EntryKind, EntryName},
    object_key::KeyTemplate,
    operation::{Create, Outcome},
    plan::{Limits, Mode, Plan},
    repair::OnMismatch,
    switch::Effect,
    units::{ByteCount, UnixMs, UploadId},
    upload::{Purpose, Snapshot},
    upload_link::LinkId,
};
use worker::Env;

use crate::{
    access::{Principal, rate_limit},
    bindings,
    config::{Auth, Config},
    context::{HandlerResult, RequestContext},
    handlers::{
        accept,
        admission::{self, Admitted},
        duplicate,
        left::Left,
        upload_link,
    },
    log::{self, Stopwatch, now_ms},
    setting::Complaint,
    storage::s3::S3Bucket,
    switch,
};

/// Creates the upload.
pub(crate) async fn handle(create: Create, context: RequestContext<'_>) -> HandlerResult {
    Ok(create_and_begin(create, None, Before::default(), context).await?.0)
}

/// Creates the upload and begins its first chunk, where there is one. The right to store that comes along, unless the upload was there before.
pub(crate) async fn and_begin(
    create: Create,
    first: Option<BeginAppend>,
    context: RequestContext<'_>,
) -> Result<(Outcome, Option<WriteLease>)> {
    create_and_begin(create, first, Before::default(), context).await
}

/// An upload that the ledger remembers under the key of a new one, and that has ended or is left.
pub(crate) struct Earlier {
    /// Its id.
    pub(crate) id: UploadId,
    /// Itself, unless all of it is gone. It is ended once its successor may be created.
    pub(crate) left: Option<Left>,
}

/// Creates the upload in the place of one that its ledger remembers under the same key.
pub(crate) async fn instead_of(create: Create, earlier: Earlier, context: RequestContext<'_>) -> HandlerResult {
    let before = Before { instead_of: Some(earlier), ..Before::default() };
    Ok(create_and_begin(create, None, before, context).await?.0)
}

/// Creates an upload that is put together from partial uploads. Those named here count as part of it from then on.
pub(crate) async fn of_partials(
    create: Create,
    takes_over: Vec<EntryName>,
    hold: bool,
    context: RequestContext<'_>,
) -> HandlerResult {
    let before = Before { takes_over, hold, ..Before::default() };
    Ok(create_and_begin(create, None, before, context).await?.0)
}

/// What there was before the upload.
#[derive(Default)]
struct Before {
    /// Pieces that count as part of it from now on.
    takes_over: Vec<EntryName>,
    /// The upload that had its key.
    instead_of: Option<Earlier>,
    /// Whether a piece of it would have been held, were it a file.
    hold: bool,
}

/// Creates the upload, and begins its first chunk in the same breath: then the right to store it comes along.
async fn create_and_begin(
    create: Create,
    first: Option<BeginAppend>,
    before: Before,
    context: RequestContext<'_>,
) -> Result<(Outcome, Option<WriteLease>)> {
    // Whatever a request looked like, what it begins is known here.
    switch::check(Effect::Creates, context.env, context.execution).await?;
    let config = context.config;
    let id = fresh_id()?;
    let (creator, limits, plan) = allowed(&create, id, context).await?;
    let watch = Stopwatch::start();
    // Crash here, or a refusal before: nobody has heard of the upload but the application, and nothing of it is anywhere.
    let created_at = UnixMs(now_ms());
    // By the token's word alone: a later chunk of a form is looked up before the application is asked anything.
    let named = context.access.creator(&create.purpose)?;
    let idempotency = create.idempotency.as_ref().map(|given| named.named(given));
    let policy = policy(&create, config.policy, &creator, created_at);
    let releases = creator.link.as_ref().filter(|_| idempotency.is_none()).map(|link| link.facts.id);
    let template = key_template(&create, creator.permit.key.as_ref(), config);
    let hold = creator.permit.hold || before.hold;
    let is_public = creator.permit.public == Some(true) && create.purpose != Purpose::Partial;
    let (prefix, bucket) = (creator.permit.key_prefix, creator.permit.bucket);
    let mut spec = UploadSpec {
        id,
        owner: creator.owner,
        key: String::new(),
        purpose: create.purpose.clone(),
        file: create.file.clone(),
        plan,
        fits_request: plan.file_bytes <= limits.max_chunk_bytes,
        public_url: config.public_url.as_deref().map(|url| config.base_path.below(url)).unwrap_or_default(),
        created_at,
        policy,
        created_with: creator.token,
        attached: creator.permit.metadata,
        link: creator.link.as_ref().map(|link| link.facts.clone()),
        types: creator.permit.types.or_else(|| config.types.clone()).filter(|_| create.purpose != Purpose::Partial),
        byte_quota: Some(config.quota).filter(|quota| plan.open_ended && quota.bounds_bytes()),
        duplicate_of: None,
        live: create.live.permitted(creator.permit.live)?,
        quota_warning: None,
        receivers: config.audience(&create.purpose, hold),
        hold,
        public_files: config.public_files.clone().filter(|_| is_public).unwrap_or_default(),
    };
    let is_by_link = spec.link.is_some();
    let shown = |snapshot: Snapshot| {
        // A link goes on with what it has begun; the token of an upload opens more of it than a link does.
        let upload_token = upload_token(snapshot.id, config).filter(|_| !is_by_link);
        Outcome::Created { snapshot, limits, upload_token }
    };
    let admit = Admit {
        entry: entry(&spec, first.as_ref()),
        // What is to lie in a bucket of its own is sent, wherever its bytes are already.
        // Whoever has a link is not told what its owner has stored. What somebody is to look at first is sent, though the same bytes may be there
        // at which nobody has looked; and what is public, which has an object of its own.
        sha256: spec
            .file
            .sha256
            .filter(|_| !spec.plan.open_ended && spec.link.is_none() && !spec.hold && !is_public && bucket.is_none()),
        idempotency,
        quota: config.quota,
        takes_over: before.takes_over,
        instead_of: None,
        ended: before.instead_of.as_ref().map(|earlier| earlier.id),
        link: creator.link.map(|link| link.usage),
        owner: spec.owner.clone(),
    };
    match admission::ask_ledger(admit, &spec, context).await? {
        Admitted::New(name, warning) => {
            spec.rename(name);
            let key = template.fill(&spec.key_parts(&prefix));
            spec.key = bucket.map_or(key.clone(), |bucket| bucket.key(&key));
            spec.quota_warning = warning;
            // The ledger has not counted it beside its successor. Crash here: it is open, and expires.
            if let Some(left) = before.instead_of.and_then(|earlier| earlier.left) {
                left.close(&spec.owner, context).await?;
            }
        }
        Admitted::Before(snapshot) => return Ok((shown(*snapshot), None)),
        Admitted::Stored(object) => {
            duplicate::tell(spec, &object, create.idempotency.as_ref(), context).await?;
            return Ok((Outcome::Duplicate(object), None));
        }
    }
    // Crash here: the ledger has an entry without an upload. The same creation goes on with it, if it has a key; the list leaves it
    // out, and takes it away; and it goes when its upload would be over at the latest.
    let Begun { snapshot, lease } = created(spec, first, releases, context).await?;
    let line = LogLine { bytes: snapshot.plan.declared_bytes(), ..LogLine::of("created", snapshot.id) };
    log::info(&LogLine { duration_ms: Some(watch.elapsed_ms()), ..line });
    Ok((shown(snapshot), lease))
}

fn fresh_id() -> Result<UploadId> {
    let mut random = [0; 16];
    getrandom::fill(&mut random).map_err(|error| Error::from(error.to_string()))?;
    Ok(UploadId::from_random_bytes(random))
}

/// What the object's key is made of. A partial upload lies where all do: nobody looks for it but the upload that is put together from it.
fn key_template(create: &Create, said: Option<&KeyTemplate>, config: &Config) -> KeyTemplate {
    match create.purpose {
        Purpose::Partial => KeyTemplate::default(),
        Purpose::File | Purpose::Composition(_) => said.unwrap_or(&config.object_key).clone(),
    }
}

/// What is promised to this upload. Of a partial upload the origin never hears: it is told of what is put together from it.
fn policy(create: &Create, promised: Policy, creator: &Principal, now: UnixMs) -> Policy {
    let is_composed = matches!(create.purpose, Purpose::Composition(_));
    let ttl_ms = creator.permit.ttl_ms;
    // By its upload it is known that a link is used up, also where the setting has become shorter since the link was made.
    let link_ms = creator.link.as_ref().map_or(0, |link| link.usage.until.0.saturating_sub(now.0));
    Policy {
        tombstone_ms: promised.tombstone_ms.max(link_ms),
        // What is put together waits for its parts and for the queue: no client can keep it from expiring.
        ttl_ms: ttl_ms.filter(|_| !is_composed).map_or(promised.ttl_ms, |ttl_ms| ttl_ms.min(promised.ttl_ms)),
        tell_origin: promised.tell_origin && create.purpose != Purpose::Partial,
        repair_ms: if create.on_mismatch == OnMismatch::Keep { promised.repair_ms } else { 0 },
        ..promised
    }
}

/// How the upload counts: with its length, or, until that is declared, with what comes along.
fn entry(spec: &UploadSpec, first: Option<&BeginAppend>) -> Entry {
    Entry {
        name: spec.entry(),
        kind: if spec.purpose == Purpose::Partial { EntryKind::Partial } else { EntryKind::File },
        bytes: spec.plan.declared_bytes().or(first.map(|first| first.length)).unwrap_or_default(),
        // Its latest end: however it goes, it takes no room after that.
        drop_at: spec.latest_end().plus_ms(ENTRY_GRACE_MS),
    }
}

/// Has the upload's object created, and its first chunk begun where there is one. Where that fails, and the object says that it is not there, the ledger is told: what does not exist
/// counts for nothing. `link` is the one that is free again then; none where the creation has a key, under which somebody else may be creating
/// the same upload just now.
async fn created(
    spec: UploadSpec,
    first: Option<BeginAppend>,
    link: Option<LinkId>,
    context: RequestContext<'_>,
) -> Result<Begun> {
    let (name, owner, objects) = (spec.entry(), spec.owner.clone(), context.uploads()?);
    let tried = call(&objects, spec.id, &CreateUpload { spec, first }).await;
    if tried.is_ok() {
        return tried;
    }
    match call(&objects, name.upload_id, &Status).await {
        // It was created all the same: the answer was lost, or the same creation was asked twice, and the other one was luckier.
        Ok(snapshot) => return Ok(Begun { snapshot, lease: None }),
        Err(Error::Refused(ApiError::UploadNotFound)) => {
            let settle = CloseUpload::entry(name, Some(ByteCount::ZERO));
            let ledgers = ObjectClient::to_ledgers(context.env)?;
            // Crash here, or fails: the entry is there without an upload, as above.
            let _left = call(&ledgers, &owner, &settle).await;
            if let Some(id) = link {
                // Crash here, or fails: the link is free after as long as a creation may take.
                let _left = call(&ledgers, &owner, &ReleaseLink { id, upload: name.upload_id }).await;
            }
        }
        // Nobody knows. Where it exists, it counts.
        Err(_) => {}
    }
    tried
}

/// Who creates it, and what is planned for it, where that is allowed: so large a file, of this type, so soon after the one before; and by the
/// application, which is asked last.
async fn allowed(create: &Create, id: UploadId, context: RequestContext<'_>) -> Result<(Principal, Limits, Plan)> {
    let config = context.config;
    let mut creator = context.access.creator(&create.purpose)?.clone();
    creator.permit.check(create, config.types.as_ref())?;
    // Where anybody may upload there is one owner, and one address.
    if let Auth::Tokens(_) = config.auth {
        rate_limit::count(create, &creator, context).await?;
    }
    plan(create, creator.permit.tighten(config.limits))?;
    if create.mode == Mode::Direct {
        // Whether parts can be stored past this service at all: with keys that R2 takes.
        S3Bucket::open(context.env)?.prove(id, UnixMs(now_ms())).await?;
    }
    upload_link::is_open(&creator, create, context).await?;
    accept::ask(create, id, &mut creator, context).await?;
    if let Some(bucket) = &creator.permit.bucket {
        is_bound(bucket, create.mode, context.env)?;
    }
    let limits = creator.permit.tighten(config.limits);
    Ok((creator, limits, plan(create, limits)?))
}

/// Whether there is this bucket, and bytes may go there by this way.
fn is_bound(bucket: &BucketName, mode: Mode, env: &Env) -> Result<()> {
    bindings::bucket_is_bound(bucket, env).map_err(|Complaint(detail)| ApiError::NotConfigured { detail })?;
    if mode == Mode::Direct {
        let name = bucket.as_str();
        let detail = format!("Nothing is sent to the bucket {name} past this service: R2_S3_BUCKET is another one.");
        return Err(ApiError::NotConfigured { detail }.into());
    }
    Ok(())
}

fn plan(create: &Create, limits: Limits) -> Result<Plan, ApiError> {
    Plan::for_chunks(create.mode, create.file_bytes, create.chunking, limits)
        .map_err(|_| ApiError::UploadTooLarge { limit_bytes: limits.largest_file(create.mode) })
}

/// The token of this upload, where tokens are needed.
pub(crate) fn upload_token(upload: UploadId, config: &Config) -> Option<String> {
    match config.auth {
        Auth::Open => None,
        Auth::Tokens(_) => upload_token::mint(config.download_secrets.first()?, upload),
    }
}
