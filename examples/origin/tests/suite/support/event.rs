//! Events as Quayside writes and signs them.

use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use standardwebhooks::Webhook;
use time::OffsetDateTime;
use uuid::Uuid;

/// What both sides sign with.
pub(crate) const SECRET: &str = "whsec_cXVheXNpZGUtdGVzdC1zZWNyZXQtMzItYnl0ZXMhISE=";
/// The signature in every download URL, to look for where it must not be.
pub(crate) const SIGNATURE: &str = "c2VjcmV0LXNpZ25hdHVyZQ";

/// One event, to be delivered once or often.
#[derive(Clone)]
pub(crate) struct Event {
    pub(crate) id: String,
    pub(crate) upload_id: String,
    pub(crate) body: Value,
}

impl Event {
    /// `upload.completed` for these bytes, to be fetched from `server` (`http://127.0.0.1:<port>`).
    pub(crate) fn completed(server: &str, bytes: &[u8]) -> Self {
        let upload_id = Uuid::new_v4().to_string();
        let data = json!({
            "uploadId": upload_id,
            "key": format!("uploads/{upload_id}"),
            "owner": "anonymous",
            "fileName": "holiday.png",
            "contentType": "image/png",
            "fileSize": bytes.len(),
            "etag": "0123456789abcdef-3",
            "digests": {
                "crc64nvme": format!("{:016x}", crc_fast::checksum(crc_fast::CrcAlgorithm::Crc64Nvme, bytes)),
                "sha256": sha256_hex(bytes),
            },
            "metadata": { "album": "2026" },
            "createdAt": "2026-11-21T08:59:00.000Z",
            "endedAt": "2026-11-21T09:00:00.000Z",
            "downloadUrl": format!("{server}/upload/{upload_id}/content?expires=1795251600&signature={SIGNATURE}"),
        });
        Self::of("upload.completed", upload_id, &data)
    }

    /// `upload.deleted`, of the same upload.
    pub(crate) fn deleted(&self) -> Self {
        let mut data = self.body["data"].clone();
        data["deletedAt"] = "2026-11-21T09:30:00.000Z".into();
        if let Some(data) = data.as_object_mut() {
            data.remove("downloadUrl");
        }
        Self::of("upload.deleted", self.upload_id.clone(), &data)
    }

    /// `upload.progressed`, of the same upload, whose bytes from one to another are new.
    pub(crate) fn progressed(&self, from: usize, to: usize) -> Self {
        let mut data = self.body["data"].clone();
        (data["fromBytes"], data["toBytes"], data["fileSize"]) = (from.into(), to.into(), Value::Null);
        Self::of("upload.progressed", self.upload_id.clone(), &data)
    }

    /// `upload.aborted`, of the same upload.
    pub(crate) fn aborted(&self) -> Self {
        Self::of("upload.aborted", self.upload_id.clone(), &self.body["data"])
    }

    /// An event of another type.
    pub(crate) fn other(kind: &str) -> Self {
        let upload_id = Uuid::new_v4().to_string();
        let data = json!({ "uploadId": upload_id, "key": format!("uploads/{upload_id}"), "reason": "because" });
        Self::of(kind, upload_id, &data)
    }

    fn of(kind: &str, upload_id: String, data: &Value) -> Self {
        let body = json!({ "type": kind, "timestamp": "2026-11-21T09:00:00.000Z", "data": data });
        Self { id: format!("evt_{}", Uuid::new_v4()), upload_id, body }
    }

    /// The same event with one field of `data` changed.
    pub(crate) fn with(mut self, field: &str, value: impl Into<Value>) -> Self {
        self.body["data"][field] = value.into();
        self
    }

    /// The same event with one digest changed; null is none.
    pub(crate) fn with_digest(mut self, name: &str, value: impl Into<Value>) -> Self {
        self.body["data"]["digests"][name] = value.into();
        self
    }

    /// A request that delivers the event now.
    pub(crate) fn delivery(&self) -> Delivery {
        Delivery::signed(&self.id, self.body.to_string(), 0)
    }

    /// A request that was signed so many seconds ago.
    pub(crate) fn delivery_of_age(&self, seconds: i64) -> Delivery {
        Delivery::signed(&self.id, self.body.to_string(), seconds)
    }
}

/// One signed request, to be sent as it is or tampered with.
#[derive(Clone)]
pub(crate) struct Delivery {
    pub(crate) id: String,
    pub(crate) timestamp: i64,
    pub(crate) signature: String,
    pub(crate) body: String,
}

impl Delivery {
    /// Signs any body at all.
    pub(crate) fn signed(id: &str, body: String, age_seconds: i64) -> Self {
        let timestamp = OffsetDateTime::now_utc().unix_timestamp() - age_seconds;
        let signature = Webhook::new(SECRET).unwrap().sign(id, timestamp, body.as_bytes()).unwrap();
        Self { id: id.to_owned(), timestamp, signature, body }
    }
}

/// As the origin lists it.
pub(crate) fn sha256_hex(bytes: &[u8]) -> String {
    hex::encode(Sha256::digest(bytes))
}
