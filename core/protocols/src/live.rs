//! Whether a creation is one of a live upload, said in any protocol: in the query of its address (`?live&endAfterSeconds=60`, `tellEveryBytes`), which
//! every client can be told, or among the metadata of tus under the same names. The JSON protocol has fields for it, too.

use crate::Head;
use upload_types::{
    api_error::ApiError,
    live::{Live, MAX_END_AFTER_SECONDS, MIN_TELL_EVERY_BYTES},
    operation::{Create, Operation},
    plan::Mode,
    units::ByteCount,
    upload::Purpose,
};

pub(crate) const LIVE: &str = "live";
pub(crate) const END_AFTER: &str = "endAfterSeconds";
pub(crate) const TELL_EVERY: &str = "tellEveryBytes";

/// The operation, of a live upload where the query or the metadata says so.
pub(crate) fn noted(head: &Head, mut operation: Operation) -> Result<Operation, ApiError> {
    let (Operation::Create(create) | Operation::CreateWith(create, _) | Operation::CreateWithUnsized(create, _, _)) =
        &mut operation
    else {
        return Ok(operation);
    };
    let said = |name: &str| head.query_text(name).or_else(|| create.file.metadata.get(name).cloned());
    // Others may mean something else by a key of that name.
    let may_be_meant = create.file_bytes.is_none() && create.purpose == Purpose::File;
    let in_metadata = may_be_meant && create.file.metadata.get(LIVE).is_some_and(|value| value == "true");
    if head.query_flag(LIVE) || in_metadata {
        // A number that is none is out of bounds.
        let number = |name: &str| said(name).map(|text| text.parse::<u64>().unwrap_or(0));
        create.live = Some(live(number(END_AFTER), number(TELL_EVERY))?);
    }
    check(create)?;
    Ok(operation)
}

/// What makes an upload live, where so many seconds of silence end it, and its receivers are told of each so many bytes.
pub(crate) fn live(end_after_seconds: Option<u64>, tell_every_bytes: Option<u64>) -> Result<Live, ApiError> {
    let end_after_seconds = within(END_AFTER, end_after_seconds, 1, MAX_END_AFTER_SECONDS)?;
    let tell_every_bytes = within(TELL_EVERY, tell_every_bytes, MIN_TELL_EVERY_BYTES, ByteCount::MAX.get())?;
    let tell_every_bytes = ByteCount::new(tell_every_bytes).unwrap_or_default();
    Ok(Live { end_after_ms: end_after_seconds * 1000, tell_every_bytes })
}

/// The number, where it is said; zero where it is not.
fn within(name: &'static str, said: Option<u64>, least: u64, most: u64) -> Result<u64, ApiError> {
    if said.is_some_and(|number| !(least..=most).contains(&number)) {
        return Err(ApiError::bad_request(name, format!("is not a whole number from {least} to {most}")));
    }
    Ok(said.unwrap_or(0))
}

/// How long a live upload becomes nobody knows, and its bytes come from the front.
pub(crate) fn check(create: &Create) -> Result<(), ApiError> {
    let is_recording = create.mode == Mode::Sequential && create.purpose == Purpose::File;
    if create.live.is_some() && !(is_recording && create.file_bytes.is_none()) {
        let why = "is for what has no length yet and comes from the front: leave the length out, and `parallel`, `direct` and \
                   concatenation";
        return Err(ApiError::bad_request(LIVE, why));
    }
    if create.live.is_some() && (create.file.sha256.is_some() || create.file.crc64nvme.is_some()) {
        return Err(ApiError::bad_request(LIVE, "is for what nobody knows the end of yet, and so no digest"));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use http::Method;

    use super::*;
    use crate::{Headers, Parsed, Protocol};

    fn created(address: &str, headers: &[(&'static str, &str)]) -> Result<Option<Live>, ApiError> {
        let (path, query) = address.split_once('?').unwrap_or((address, ""));
        let headers = Headers::of(headers.iter().copied());
        let head = Head { method: Method::POST, path: path.to_owned(), query: query.to_owned(), headers };
        match Protocol::of(&head).parse(&head)? {
            Parsed::Ready(operation) => match *operation {
                Operation::Create(create)
                | Operation::CreateWith(create, _)
                | Operation::CreateWithUnsized(create, _, _) => Ok(create.live),
                other => panic!("{other:?}"),
            },
            other => panic!("{other:?}"),
        }
    }

    const TUS: (&str, &str) = ("tus-resumable", "1.0.0");
    const LATER: (&str, &str) = ("upload-defer-length", "1");

    #[test]
    fn every_protocol_can_say_it_in_the_address() {
        let (a_minute, for_ever) = (Live { end_after_ms: 60_000, ..Live::default() }, Live::default());
        for (address, headers, expected) in [
            ("/files?live&endAfterSeconds=60", vec![TUS, LATER], Some(a_minute)),
            ("/files?live=true", vec![TUS, LATER], Some(for_ever)),
            ("/files?live=false", vec![TUS, LATER], None),
            ("/files?alive", vec![TUS, LATER], None),
            ("/files?live", vec![("upload-complete", "?0"), ("upload-draft-interop-version", "8")], Some(for_ever)),
            ("/upload?live&name=talk.webm", vec![], Some(for_ever)),
            // What says how long it stays quiet and not that it is live is an upload as any other.
            ("/files?endAfterSeconds=60", vec![TUS, LATER], None),
        ] {
            assert_eq!(created(address, &headers), Ok(expected), "{address}");
        }
    }

    #[test]
    fn tus_can_say_it_in_its_metadata() {
        // live: true, endAfterSeconds: 60
        let said = ("upload-metadata", "live dHJ1ZQ==,endAfterSeconds NjA=");
        assert_eq!(created("/files", &[TUS, LATER, said]), Ok(Some(Live { end_after_ms: 60_000, ..Live::default() })));
        assert_eq!(created("/files", &[TUS, ("upload-length", "5"), said]), Ok(None), "it is said of something else");
    }

    #[test]
    fn it_can_be_told_of_on_the_way() {
        let tell_every_bytes = ByteCount::new(9_000_000).unwrap();
        let told = Some(Live { end_after_ms: 60_000, tell_every_bytes });
        let address = "/files?live&endAfterSeconds=60&tellEveryBytes=9000000";
        assert_eq!(created(address, &[TUS, LATER]), Ok(told));
        // live: true, tellEveryBytes: 9000000
        let said = ("upload-metadata", "live dHJ1ZQ==,tellEveryBytes OTAwMDAwMA==");
        assert_eq!(created("/files", &[TUS, LATER, said]), Ok(Some(Live { tell_every_bytes, ..Live::default() })));
    }

    #[test]
    fn what_has_a_length_is_not_live_and_a_silence_is_a_number() {
        let length = ("upload-length", "5");
        for (address, headers, field) in [
            ("/files?live", vec![TUS, length], LIVE),
            ("/upload?live", vec![("content-length", "5")], LIVE),
            ("/files?live", vec![TUS, LATER, ("upload-concat", "partial")], LIVE),
            ("/files?live&endAfterSeconds=0", vec![TUS, LATER], END_AFTER),
            ("/files?live&endAfterSeconds=86401", vec![TUS, LATER], END_AFTER),
            ("/files?live&endAfterSeconds=soon", vec![TUS, LATER], END_AFTER),
            ("/files?live&endAfterSeconds=-1", vec![TUS, LATER], END_AFTER),
            ("/files?live&tellEveryBytes=8388607", vec![TUS, LATER], TELL_EVERY),
            ("/files?live&tellEveryBytes=9007199254740992", vec![TUS, LATER], TELL_EVERY),
            ("/files?live&tellEveryBytes=often", vec![TUS, LATER], TELL_EVERY),
        ] {
            match created(address, &headers) {
                Err(ApiError::BadRequest { field: named, .. }) => assert_eq!(named, field, "{address}"),
                other => panic!("{address}: {other:?}"),
            }
        }
    }
}
