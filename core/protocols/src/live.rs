//! Whether a creation is one of a live upload, said in any protocol: in the query of its address (`?live&endAfterSeconds=60`, `tellEveryBytes`), which
//! every client can be told, or among the metadata of tus under the same names. The JSON protocol has fields for it, too.

use crate::Head;
use upload_types::{
    api_error::ApiError,
    live::{END_AFTER, Live, Liveness, TELL_EVERY},
    operation::{Create, Operation},
    plan::Mode,
    upload::Purpose,
};

pub(crate) const LIVE: &str = "live";

/// The operation, of a live upload where the query or the metadata says so; and where it could be one, that is noted.
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
        create.live = asked(said)?;
    }
    create.live = checked(create)?;
    Ok(operation)
}

/// The same of one whose metadata are labels of its client's own: only the address says it.
pub(crate) fn by_address(head: &Head, mut create: Create) -> Result<Create, ApiError> {
    if head.query_flag(LIVE) {
        create.live = asked(|name| head.query_text(name))?;
    }
    create.live = checked(&create)?;
    Ok(create)
}

/// A number that is none is out of bounds.
fn asked(said: impl Fn(&str) -> Option<String>) -> Result<Liveness, ApiError> {
    let number = |name: &str| said(name).map(|text| text.parse::<u64>().unwrap_or(0));
    Ok(Liveness::Asked(Live::new(number(END_AFTER), number(TELL_EVERY))?))
}

/// What the creation says of it, where that can be: how long a live upload becomes nobody knows, and its bytes come from the front.
pub(crate) fn checked(create: &Create) -> Result<Liveness, ApiError> {
    let has_end = create.file_bytes.is_some() || create.mode != Mode::Sequential || create.purpose != Purpose::File;
    let has_digest = create.file.sha256.is_some() || create.file.crc64nvme.is_some();
    match create.live {
        Liveness::Asked(_) if has_end => {
            let why = "is for what has no length yet and comes from the front: leave the length out, and `parallel`, `direct` and \
                       concatenation";
            Err(ApiError::bad_request(LIVE, why))
        }
        Liveness::Asked(_) if has_digest => {
            Err(ApiError::bad_request(LIVE, "is for what nobody knows the end of yet, and so no digest"))
        }
        Liveness::Asked(live) => Ok(Liveness::Asked(live)),
        _ if has_end || has_digest => Ok(Liveness::Never),
        _ => Ok(Liveness::Unsaid),
    }
}

#[cfg(test)]
mod tests {
    use http::Method;
    use upload_types::units::ByteCount;

    use super::*;
    use crate::{Headers, Parsed, Protocol};

    fn created(address: &str, headers: &[(&'static str, &str)]) -> Result<Option<Live>, ApiError> {
        Ok(match said(address, headers)? {
            Liveness::Asked(live) => Some(live),
            Liveness::Unsaid | Liveness::Never => None,
        })
    }

    fn said(address: &str, headers: &[(&'static str, &str)]) -> Result<Liveness, ApiError> {
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
    fn it_is_noted_what_may_be_live_by_word_of_others() {
        for (address, headers, expected) in [
            ("/files", vec![TUS, LATER], Liveness::Unsaid),
            ("/files", vec![TUS, ("upload-length", "5")], Liveness::Never),
            ("/files", vec![TUS, LATER, ("upload-concat", "partial")], Liveness::Never),
            ("/upload?name=talk.webm", vec![], Liveness::Unsaid),
            ("/upload?name=talk.webm", vec![("content-length", "5")], Liveness::Never),
            ("/files", vec![("upload-complete", "?0"), ("upload-draft-interop-version", "8")], Liveness::Unsaid),
        ] {
            assert_eq!(said(address, &headers), Ok(expected), "{address} {headers:?}");
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
