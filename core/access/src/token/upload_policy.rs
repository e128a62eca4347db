//! What the holder of a token may create, and what is attached to it.

use std::collections::BTreeMap;

use serde::{Deserialize, de::IgnoredAny};
use serde_json::Value;

use upload_types::{
    api_error::ApiError,
    bucket::BucketName,
    json,
    live::{END_AFTER, Live, LivePermit, TELL_EVERY},
    media_types::MediaTypes,
    object_key::{KeyTemplate, is_segment},
    operation::Create,
    plan::Limits,
    units::{ByteCount, UploadId},
    upload::Purpose,
};

/// All names and values of the attached metadata together: a token has at most 8 KiB, and is sent with every request.
const MAX_METADATA_BYTES: usize = 4 * 1024;

/// R2's keys have up to 1,024 bytes; the rest is ours.
const MAX_KEY_PREFIX_BYTES: usize = 512;

/// What may be created.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct UploadPolicy {
    /// The largest file.
    pub max_bytes: Option<ByteCount>,
    /// What files may be; anything where there is no list.
    pub types: Option<MediaTypes>,
    /// What the origin is told besides, by word of the application.
    pub metadata: BTreeMap<String, String>,
    /// What is filled in for `{prefix}` in the object's key: empty, or ends with a slash.
    pub key_prefix: String,
    /// What the object's key is made of, where it is not made as the deployment says.
    pub key: Option<KeyTemplate>,
    /// In which bucket the object lies; in that of all who name none where none is said.
    pub bucket: Option<BucketName>,
    /// Whether its holder may delete uploads that are complete.
    pub delete: bool,
    /// Whether nobody gets a file, once it is whole, before somebody has looked at it.
    pub hold: bool,
    /// Whether everybody gets a file, once it is whole; none where that is not said, which is no.
    pub public: Option<bool>,
    /// What is said of live uploads.
    pub live: Option<LivePermit>,
    /// How long an upload lives without an accepted byte, where that is shorter than the deployment says. No token says it: an application
    /// that is asked does.
    pub ttl_ms: Option<u64>,
}

/// The claim `quayside`, as a token spells it.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Terms {
    upload: Option<UploadId>,
    max_bytes: Option<ByteCount>,
    types: Option<Vec<String>>,
    #[serde(default)]
    metadata: BTreeMap<String, String>,
    #[serde(default)]
    key_prefix: String,
    object_key: Option<String>,
    bucket: Option<String>,
    #[serde(default)]
    delete: bool,
    #[serde(default)]
    hold: bool,
    public: Option<bool>,
    /// Read by [`live_permit`].
    live: Option<IgnoredAny>,
    scope: Option<Scope>,
}

/// What a token is for beside uploads of its owner.
#[derive(Deserialize)]
#[serde(rename_all = "lowercase")]
enum Scope {
    Admin,
}

/// What the claim says.
pub(super) struct Said {
    /// What may be created.
    pub(super) policy: UploadPolicy,
    /// The one upload that the token is for, where it is for one.
    pub(super) upload: Option<UploadId>,
    /// Whether its holder runs the service, and creates nothing. That it says so is not enough: `claims` looks at its key.
    pub(super) is_admin: bool,
}

impl UploadPolicy {
    /// What a setting says, for tokens that say nothing of it themselves: JSON, with the fields of the claim.
    pub fn parse(json: &str) -> Result<Self, &'static str> {
        Self::of_setting(&json::from_str(json).map_err(|_| "is not JSON")?)
    }

    pub(crate) fn of_setting(value: &Value) -> Result<Self, &'static str> {
        match Self::of_claim(value)? {
            Said { policy, upload: None, is_admin: false } => Ok(policy),
            Said { upload: Some(_), .. } => Err("names an upload, which only a token can"),
            Said { .. } => Err("has a scope, which only a token can"),
        }
    }

    /// What the claim says.
    pub(super) fn of_claim(value: &Value) -> Result<Said, &'static str> {
        let terms = json::from_str::<Terms>(&value.to_string())
            .map_err(|_| "has an unknown field, or one that is not of its type")?;
        let (upload, is_admin) = (terms.upload, terms.scope.is_some());
        if is_admin && value.as_object().is_some_and(|terms| terms.len() > 1) {
            return Err("says what may be uploaded beside `scope: admin`, which uploads nothing");
        }
        let live = value.get("live").filter(|_| terms.live.is_some()).map(live_permit).transpose()?;
        Ok(Said { policy: Self { live, ..Self::try_from(terms)? }, upload, is_admin })
    }

    /// The same, with all objects below the folder of a tenant.
    pub(super) fn below(self, tenant: &str) -> Self {
        let key = self.key.as_ref().map(KeyTemplate::below_tenant);
        Self { key_prefix: format!("{tenant}/{}", self.key_prefix), key, ..self }
    }

    /// Whether this creation is within the permit, and within what the deployment takes at all.
    pub fn check(&self, create: &Create, deployment_types: Option<&MediaTypes>) -> Result<(), ApiError> {
        if let (Some(limit_bytes), Some(file_bytes)) = (self.max_bytes, create.file_bytes)
            && file_bytes > limit_bytes
        {
            return Err(ApiError::UploadTooLarge { limit_bytes });
        }
        create.live.permitted(self.live)?;
        // A piece has no type of its own, and the origin never hears of it: what is put together from it is looked at.
        if create.purpose == Purpose::Partial {
            return Ok(());
        }
        let declared = create.file.content_type.as_deref().unwrap_or_default();
        match [self.types.as_ref(), deployment_types].into_iter().flatten().find(|types| !types.allow(declared)) {
            Some(types) => Err(ApiError::TypeNotAllowed { allowed: types.shown() }),
            None => Ok(()),
        }
    }

    /// Holds it to this one as well: what is wider there stays as it is here. Where both say whether it is public, this one does.
    pub fn narrow(&mut self, by: Self, deployment_types: Option<&MediaTypes>) {
        self.max_bytes = self.max_bytes.into_iter().chain(by.max_bytes).min();
        self.ttl_ms = self.ttl_ms.into_iter().chain(by.ttl_ms).min();
        self.metadata.extend(by.metadata);
        self.key = by.key.or(self.key.take());
        self.bucket = by.bucket.or(self.bucket.take());
        self.hold |= by.hold;
        // By this alone more is allowed than before: nobody says it but the application, in the token or where it is asked.
        self.public = by.public.or(self.public);
        self.live = match (self.live, by.live) {
            (Some(here), Some(by)) => Some(here.and(by)),
            (here, by) => here.or(by),
        };
        if let Some(types) = by.types {
            let here = self.types.as_ref().or(deployment_types);
            self.types = Some(here.map_or(types.clone(), |here| here.both(&types)));
        }
    }

    /// The deployment's limits, or the permit's where they are tighter: a length that is declared later is held to them too.
    #[must_use]
    pub fn tighten(&self, limits: Limits) -> Limits {
        let max_upload_bytes = self.max_bytes.map_or(limits.max_upload_bytes, |most| most.min(limits.max_upload_bytes));
        Limits { max_upload_bytes, ..limits }
    }
}

impl TryFrom<Terms> for UploadPolicy {
    type Error = &'static str;

    fn try_from(terms: Terms) -> Result<Self, Self::Error> {
        let metadata_bytes: usize = terms.metadata.iter().map(|(name, value)| name.len() + value.len()).sum();
        if metadata_bytes > MAX_METADATA_BYTES {
            return Err("has more than 4 KiB of metadata");
        }
        let prefix = &terms.key_prefix;
        let segments = prefix.strip_suffix('/').map(|inner| inner.split('/').all(is_segment));
        if !prefix.is_empty() && segments != Some(true) || prefix.len() > MAX_KEY_PREFIX_BYTES {
            return Err("has a keyPrefix that is not `folder/…/` of letters, digits and `-_.=`");
        }
        let key = terms
            .object_key
            .as_deref()
            .map(KeyTemplate::parse)
            .transpose()
            .map_err(|_| "has an objectKey that is no template, like `photos/{year}/{id}{.ext}`")?;
        let bucket = terms.bucket.as_deref().map(|name| {
            BucketName::parse(name).ok_or("has a bucket that is no name of up to 32 small letters, digits and dashes")
        });
        let bucket = bucket.transpose()?;
        let types = terms.types.map(|types| MediaTypes::parse(types.iter().map(String::as_str))).transpose()?;
        let Terms { max_bytes, metadata, key_prefix, delete, hold, public, .. } = terms;
        Ok(Self { max_bytes, types, metadata, key_prefix, key, delete, bucket, hold, public, live: None, ttl_ms: None })
    }
}

/// `false`, `true`, or an object with what holds for each.
fn live_permit(said: &Value) -> Result<LivePermit, &'static str> {
    let fault = "has a live that is neither true nor false nor {endAfterSeconds, tellEveryBytes} within their bounds";
    if let Some(is_permitted) = said.as_bool() {
        return Ok(if is_permitted { LivePermit::Every(Live::default()) } else { LivePermit::Refused });
    }
    let fields = said.as_object().ok_or(fault)?;
    let number = |name: &str| fields.get(name).map(|value| value.as_u64().unwrap_or(0));
    if !fields.keys().all(|name| name == END_AFTER || name == TELL_EVERY) {
        return Err(fault);
    }
    // A number that is none is out of bounds.
    Live::new(number(END_AFTER), number(TELL_EVERY)).map(LivePermit::Every).map_err(|_| fault)
}

#[cfg(test)]
mod tests {
    use super::*;
    use upload_types::{
        live::Liveness,
        plan::{Chunking, Mode},
        repair::OnMismatch,
        upload::FileInfo,
    };

    fn create(file_bytes: Option<u32>, content_type: Option<&str>) -> Create {
        let content_type = content_type.map(str::to_owned);
        let file = FileInfo {
            name: "a".to_owned(),
            content_type,
            metadata: BTreeMap::new(),
            sha256: None,
            crc64nvme: None,
            memo: None,
        };
        let file_bytes = file_bytes.map(ByteCount::from);
        Create {
            mode: Mode::Sequential,
            file,
            file_bytes,
            chunking: Chunking::Unspoken,
            purpose: Purpose::File,
            idempotency: None,
            on_mismatch: OnMismatch::Fail,
            live: Liveness::Never,
        }
    }

    #[test]
    fn a_permit_bounds_size_and_type_and_the_deployment_does_too() {
        let images = MediaTypes::parse(["image/*"]).unwrap();
        let png = MediaTypes::parse(["image/png"]).unwrap();
        let permit = UploadPolicy { max_bytes: Some(100.into()), types: Some(images), ..UploadPolicy::default() };
        for (bytes, content_type, deployment, expected) in [
            (Some(100), Some("image/png"), None, None),
            (None, Some("image/gif"), None, None),
            (Some(101), Some("image/png"), None, Some("upload-too-large")),
            (Some(1), Some("text/html"), None, Some("type-not-allowed")),
            (Some(1), None, None, Some("type-not-allowed")),
            (Some(1), Some("image/gif"), Some(&png), Some("type-not-allowed")),
            (Some(1), Some("image/png"), Some(&png), None),
        ] {
            let answer = permit.check(&create(bytes, content_type), deployment);
            assert_eq!(answer.err().map(|refusal| refusal.code()), expected, "{bytes:?} {content_type:?}");
        }
        assert_eq!(UploadPolicy::default().check(&create(Some(u32::MAX), None), None), Ok(()));
        let limits = Limits { max_upload_bytes: 50.into(), max_chunk_bytes: 10.into() };
        assert_eq!(permit.tighten(limits), limits, "a token does not widen what the deployment takes");
        let roomy = Limits { max_upload_bytes: 500.into(), ..limits };
        assert_eq!(permit.tighten(roomy).max_upload_bytes, 100.into());
    }

    #[test]
    fn a_permit_is_narrowed_and_never_widened() {
        let list = |entries: &[&str]| Some(MediaTypes::parse(entries.iter().copied()).unwrap());
        let said = |pairs: [(&str, &str); 2]| pairs.map(|(name, value)| (name.to_owned(), value.to_owned())).into();
        let token = UploadPolicy {
            max_bytes: Some(100.into()),
            types: list(&["image/*"]),
            metadata: said([("album", "7"), ("by", "token")]),
            key_prefix: "a/".to_owned(),
            ..UploadPolicy::default()
        };
        let tighter = UploadPolicy {
            max_bytes: Some(50.into()),
            types: list(&["image/png", "text/csv"]),
            metadata: said([("by", "hook"), ("job", "1")]),
            ttl_ms: Some(1000),
            hold: true,
            ..UploadPolicy::default()
        };
        let narrowed = |policy: &UploadPolicy, by: UploadPolicy, types| {
            let mut policy = policy.clone();
            policy.narrow(by, types);
            policy
        };
        let both = narrowed(&token, tighter.clone(), None);
        assert!(both.hold && narrowed(&both, UploadPolicy::default(), None).hold, "nobody takes it back");
        assert_eq!((both.max_bytes, &both.types), (Some(50.into()), &list(&["image/png"])));
        assert_eq!((both.ttl_ms, both.key_prefix.as_str()), (Some(1000), "a/"));
        assert_eq!(both.metadata.values().collect::<Vec<_>>(), ["7", "hook", "1"]);
        let wider = UploadPolicy { max_bytes: Some(500.into()), types: list(&["image/*", "text/*"]), ..token.clone() };
        assert_eq!(narrowed(&token, wider, None), token, "what is wider changes nothing");
        assert_eq!(narrowed(&token, UploadPolicy::default(), None), token);
        let says = |public| UploadPolicy { public, ..UploadPolicy::default() };
        let lives = |live| UploadPolicy { live, ..UploadPolicy::default() };
        let (every, refused) = (Some(LivePermit::Every(Live::default())), Some(LivePermit::Refused));
        for (token, application, both) in
            [(None, every, every), (every, None, every), (every, refused, refused), (refused, every, refused)]
        {
            assert_eq!(narrowed(&lives(token), lives(application), None).live, both, "{token:?} {application:?}");
        }
        for (token, application, either) in [
            (None, None, None),
            (Some(true), None, Some(true)),
            (Some(true), Some(false), Some(false)),
            (None, Some(true), Some(true)),
            (Some(false), Some(true), Some(true)),
        ] {
            assert_eq!(narrowed(&says(token), says(application), None).public, either, "{token:?} {application:?}");
        }
        let anybody = narrowed(&UploadPolicy::default(), tighter, list(&["image/gif", "text/*"]).as_ref());
        assert_eq!(anybody.types, list(&["text/csv"]), "the deployment's list holds, too");
    }

    #[test]
    fn what_is_said_of_live_uploads_is_a_word_or_what_holds_for_each() {
        let silence = Live { end_after_ms: 60_000, ..Live::default() };
        for (json, expected) in [
            (r#"{"live":false}"#, Some(LivePermit::Refused)),
            (r#"{"live":true}"#, Some(LivePermit::Every(Live::default()))),
            (r#"{"live":{}}"#, Some(LivePermit::Every(Live::default()))),
            (r#"{"live":{"endAfterSeconds":60}}"#, Some(LivePermit::Every(silence))),
            (r#"{"live":null}"#, None),
            ("{}", None),
        ] {
            assert_eq!(UploadPolicy::parse(json).map(|policy| policy.live), Ok(expected), "{json}");
        }
        for json in [
            r#"{"live":"yes"}"#,
            r#"{"live":1}"#,
            r#"{"live":{"endAfterSeconds":0}}"#,
            r#"{"live":{"endAfterSeconds":86401}}"#,
            r#"{"live":{"endAfterSeconds":"60"}}"#,
            r#"{"live":{"tellEveryBytes":8388607}}"#,
            r#"{"live":{"tellEveryByte":9388607}}"#,
        ] {
            let complaint = UploadPolicy::parse(json).unwrap_err();
            assert!(complaint.contains("live"), "{json}: {complaint}");
        }
        let asked = |live| Create { live: Liveness::Asked(live), ..create(None, None) };
        let refused = lives_as(LivePermit::Refused).check(&asked(silence), None).map_err(|refusal| refusal.code());
        assert_eq!(refused, Err("not-permitted"));
        assert_eq!(lives_as(LivePermit::Refused).check(&create(None, None), None), Ok(()));
        assert_eq!(lives_as(LivePermit::Every(silence)).check(&asked(Live::default()), None), Ok(()));
    }

    fn lives_as(live: LivePermit) -> UploadPolicy {
        UploadPolicy { live: Some(live), ..UploadPolicy::default() }
    }
}
