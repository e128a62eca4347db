//! An upload to be rendered in tests.

use std::collections::BTreeMap;

use http::Method;

use crate::{Asked, Head};
use upload_types::{
    chunk::Completion,
    cost::Cost,
    integrity::Crc64Nvme,
    operation::{Outcome, Reply},
    plan::{Limits, Mode, Plan},
    units::{ByteCount, MIB, UnixMs, UploadId},
    upload::{FileInfo, ObjectFacts, Phase, Snapshot},
};

pub(crate) const ID: &str = "067e6162-3b6f-4ae2-a171-2470b63dff00";

pub(crate) fn limits() -> Limits {
    Limits { max_upload_bytes: ByteCount::new(1000 * MIB).unwrap(), max_chunk_bytes: ByteCount::new(95 * MIB).unwrap() }
}

pub(crate) fn head(method: Method, address: &str, headers: &[(&'static str, &str)]) -> Head {
    let (path, query) = address.split_once('?').unwrap_or((address, ""));
    let headers = crate::Headers::of(headers.iter().copied());
    Head { method, path: path.to_owned(), query: query.to_owned(), headers }
}

pub(crate) fn asked(head: &Head) -> Asked<'_> {
    Asked {
        head,
        limits: Some(limits()),
        base_url: "https://u.example",
        problems_url: "https://u.example/problems/",
        now: UnixMs(1_000_000),
    }
}

/// Of a file of 100 bytes called `a b.txt`, of which so many count.
pub(crate) fn snapshot(phase: Phase, offset: u32) -> Snapshot {
    let object =
        ObjectFacts { key: "k".to_owned(), etag: "e".to_owned(), crc64nvme: Crc64Nvme(1), sha256: None, result: None };
    Snapshot {
        id: UploadId::parse(ID).unwrap(),
        phase,
        reason: None,
        uploaded_bytes: offset.into(),
        offset: offset.into(),
        missing: Vec::new(),
        received_chunks_bitmap: None,
        plan: Plan::new(Mode::Sequential, Some(100.into()), None, limits()).unwrap(),
        file: FileInfo {
            name: "a b.txt".to_owned(),
            content_type: None,
            metadata: BTreeMap::new(),
            sha256: None,
            crc64nvme: None,
            memo: None,
        },
        completes: Completion::WhenWhole,
        cost: Cost::NONE,
        created_at: UnixMs(0),
        expires_at: UnixMs(1_060_999),
        delivery: None,
        deleted_at: None,
        live: None,
        public_url: None,
        quota_warning: None,
        held: false,
        receivers: Vec::new(),
        object: (phase == Phase::Completed).then_some(object),
    }
}

pub(crate) fn created(snapshot: Snapshot, token: Option<&str>) -> Outcome {
    Outcome::Created { snapshot, limits: limits(), upload_token: token.map(str::to_owned) }
}

pub(crate) fn header<'a>(reply: &'a Reply, name: &str) -> Option<&'a str> {
    reply.headers.iter().find(|(known, _)| *known == name).map(|(_, value)| value.as_str())
}

pub(crate) fn body(reply: &Reply) -> serde_json::Value {
    serde_json::from_str(reply.body.as_deref().unwrap()).unwrap()
}
