//! What each setting is where a deployment does not say it: the values for production. wrangler.toml says what each of them means.

use upload_types::object_key::DEFAULT_TEMPLATE;

const DEFAULTS: [(&str, &str); 45] = [
    ("AUTH", "token"),
    ("TOKEN_AUDIENCE", "quayside"),
    ("TOKEN_PUBLIC_KEYS", ""),
    ("TOKEN_JWKS_URL", ""),
    ("TOKEN_ISSUER", ""),
    ("TOKEN_RULES", ""),
    ("TOKEN_ISSUERS", ""),
    ("TOKEN_HEADER", ""),
    ("AUDIENCE_CLAIM", "aud"),
    ("OWNER_CLAIM", "sub"),
    ("TENANT_CLAIM", ""),
    ("POLICY_CLAIM", "quayside"),
    ("DEFAULT_POLICY", ""),
    ("ALLOWED_TYPES", ""),
    ("PUBLIC_URL", ""),
    ("BASE_PATH", ""),
    ("PROBLEMS_URL", ""),
    ("CORS_ORIGINS", ""),
    ("CORS_HEADERS", ""),
    ("FORM_REDIRECTS", ""),
    ("MAX_UPLOAD_BYTES", "107374182400"),
    ("MAX_CHUNK_BYTES", "99614720"),
    ("STALLED_BODY_SECONDS", "30"),
    ("QUOTA_OPEN_UPLOADS", "10000"),
    ("QUOTA_OPEN_BYTES", "0"),
    ("QUOTA_BYTES_PER_DAY", "0"),
    ("QUOTA_STORED_BYTES", "0"),
    ("QUOTA_STORED_BYTES_SOFT", "0"),
    ("UPLOAD_TTL_SECONDS", "86400"),
    ("REPAIR_TTL_SECONDS", "86400"),
    ("TOMBSTONE_TTL_SECONDS", "604800"),
    ("DELETE_COMPLETED", "claim"),
    ("OBJECT_KEY", DEFAULT_TEMPLATE),
    ("ACCEPT_HOOK", ""),
    ("ORIGIN_WEBHOOK_URL", ""),
    ("WEBHOOK_TIMEOUT_SECONDS", "60"),
    ("RESULT_WAIT_SECONDS", "0"),
    ("DELIVERY_FIRST_DELAY_SECONDS", "5"),
    ("DELIVERY_MAX_ATTEMPTS", "30"),
    ("OUTBOX_RESEND_SECONDS", "60"),
    ("DOWNLOAD_URL_TTL_SECONDS", "604800"),
    ("R2_S3_ENDPOINT", ""),
    ("R2_S3_BUCKET", ""),
    ("DIRECT_URL_TTL_SECONDS", "900"),
    ("LOG_CHUNKS", "0"),
];

/// The default of a setting.
pub(crate) fn of(name: &str) -> Option<&'static str> {
    DEFAULTS.iter().find(|(setting, _)| *setting == name).map(|(_, default)| *default)
}
