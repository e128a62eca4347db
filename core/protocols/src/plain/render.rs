//! Answers of the plain protocol: the object, or a problem document that says what to do.

use serde_json::{Value, json};

use crate::{
    Asked, body_type, json,
    problem::{Names, Problem},
};
use upload_types::{
    api_error::{ApiError, SOON_SECONDS},
    operation::{Outcome, Reply},
    units::UploadId,
    upload::{Phase, Snapshot},
};

/// What clients of this protocol send.
const NAMES: Names = Names { offset: "Content-Range", length: "Content-Length", checksum: "Repr-Digest" };

/// The answer to what was done.
pub fn reply(asked: &Asked<'_>, outcome: &Outcome) -> Reply {
    match outcome {
        Outcome::Created { snapshot, upload_token, .. } => created(asked, snapshot, upload_token.as_deref()),
        Outcome::Duplicate(object) => {
            let reply = json_reply(200, &json!({ "duplicate": true, "object": object }));
            reply.with("location", asked.upload_url(object.upload_id))
        }
        // Nothing in this protocol asks for anything else.
        _ => json::reply(asked, outcome),
    }
}

/// The answer to what was not done.
pub fn problem(asked: &Asked<'_>, refusal: &ApiError, upload: Option<UploadId>) -> Reply {
    Problem::of(asked, refusal, upload, &NAMES).reply()
}

fn created(asked: &Asked<'_>, snapshot: &Snapshot, upload_token: Option<&str>) -> Reply {
    let url = asked.upload_url(snapshot.id);
    let status = match snapshot.phase {
        Phase::Completed => 201,
        phase if phase.is_finishing() => 202,
        Phase::Open => return unfinished(asked, snapshot, url),
        _ => return ended(asked, snapshot),
    };
    let mut body = json!({
        "uploadId": snapshot.id,
        "uploadUrl": url,
        "state": snapshot.phase,
        "fileName": snapshot.file.name,
        "fileSize": snapshot.uploaded_bytes,
        "contentType": snapshot.file.content_type,
        "object": snapshot.object.as_ref().map(json::shown_object),
    });
    if let Some(token) = upload_token {
        body["uploadToken"] = json!(token);
    }
    let reply = json_reply(status, &body).with("location", url);
    if status == 202 { reply.with("retry-after", SOON_SECONDS.to_string()) } else { reply }
}

/// Not all bytes count: the body ended early, or something of ours failed. The same request once more helps, unless it has a key and some
/// bytes count: then it names this upload, whose rest can be sent in the JSON protocol.
fn unfinished(asked: &Asked<'_>, snapshot: &Snapshot, url: String) -> Reply {
    let missing_bytes =
        snapshot.plan.declared_bytes().map(|file_bytes| file_bytes.saturating_sub(snapshot.uploaded_bytes));
    let refusal = ApiError::Incomplete { missing_bytes, uploaded_bytes: snapshot.uploaded_bytes };
    let mut problem = Problem::of(asked, &refusal, Some(snapshot.id), &NAMES);
    let has_key = asked.head.headers.contains_key("idempotency-key");
    let repeating_helps = !has_key || snapshot.uploaded_bytes.is_zero();
    problem.say("uploadUrl", &url);
    let under = if repeating_helps { "" } else { " under another Idempotency-Key" };
    let arrived = snapshot.uploaded_bytes;
    // A file of a form is more than its bytes: the form says when it is whole.
    let next = if body_type::is_multipart(asked.head) {
        format!("Send the whole form again{under}; what has come of it expires.")
    } else {
        format!("PUT it to {url} with `X-Upload-Offset: {arrived}`, or send the whole file again{under}.")
    };
    problem.say("detail", format!("{arrived} bytes have arrived, and not the rest. {next}"));
    if repeating_helps {
        problem.status = 503;
    }
    let reply = problem.reply().with("location", url);
    if repeating_helps { reply.with("retry-after", SOON_SECONDS.to_string()) } else { reply }
}

/// There is no file, and none will come of this request. Of a new upload that can only be because its bytes are not those that its digest
/// is of; what the status says is what it says of a digest in every protocol.
fn ended(asked: &Asked<'_>, snapshot: &Snapshot) -> Reply {
    let reason = snapshot.reason.clone().unwrap_or_else(|| "The upload has ended without a file.".to_owned());
    let refusal = ApiError::UploadGone { phase: snapshot.phase, reason };
    let mut problem = Problem::of(asked, &refusal, Some(snapshot.id), &NAMES);
    if matches!(snapshot.phase, Phase::Failed | Phase::Damaged) {
        problem.status = 422;
    }
    problem.reply()
}

fn json_reply(status: u16, body: &Value) -> Reply {
    let mut reply = Reply::empty(status).with("content-type", "application/json").with("cache-control", "no-store");
    reply.body = Some(body.to_string());
    reply
}

#[cfg(test)]
mod tests {
    use http::Method;

    use super::*;
    use crate::sample::{self, ID, body, header, snapshot};

    fn answer(headers: &[(&'static str, &str)], phase: Phase, offset: u32) -> Reply {
        let head = sample::head(Method::POST, "/upload", headers);
        reply(&sample::asked(&head), &sample::created(snapshot(phase, offset), Some("t")))
    }

    #[test]
    fn a_file_that_is_there_and_one_that_will_be() {
        for (phase, status, object) in
            [(Phase::Completed, 201, true), (Phase::Completing, 202, false), (Phase::Verifying, 202, false)]
        {
            let reply = answer(&[], phase, 100);
            assert_eq!(reply.status, status, "{phase:?}");
            assert_eq!(header(&reply, "location"), Some(format!("https://u.example/upload/{ID}").as_str()));
            assert_eq!(header(&reply, "retry-after").is_some(), !object, "{phase:?}");
            let body = body(&reply);
            assert_eq!((&body["state"], &body["fileName"]), (&json!(phase), &json!("a b.txt")));
            assert_eq!((body["object"].is_object(), &body["uploadToken"]), (object, &json!("t")));
        }
    }

    #[test]
    fn one_that_did_not_arrive_is_sent_again_unless_its_key_names_what_did() {
        let key = [("idempotency-key", "k")];
        for (headers, offset, status) in [(&[][..], 0, 503), (&[], 40, 503), (&key, 0, 503), (&key, 40, 409)] {
            let reply = answer(headers, Phase::Open, offset);
            assert_eq!(reply.status, status, "{headers:?} {offset}");
            assert_eq!(header(&reply, "retry-after").is_some(), status == 503);
            let body = body(&reply);
            assert_eq!((&body["uploadedBytes"], &body["missingBytes"]), (&json!(offset), &json!(100 - offset)));
            assert_eq!((&body["status"], header(&reply, "location").is_some()), (&json!(status), true));
        }
    }

    #[test]
    fn a_file_of_a_form_that_did_not_arrive_comes_again_with_the_whole_form() {
        let (form, key) = (("content-type", "multipart/form-data; boundary=x"), ("idempotency-key", "k"));
        for (headers, next) in [
            (&[form][..], "Send the whole form again; "),
            (&[form, key], "Send the whole form again under another Idempotency-Key; "),
            (&[key], "PUT it to "),
        ] {
            let detail = body(&answer(headers, Phase::Open, 40))["detail"].to_string();
            assert!(detail.contains(next), "{detail}");
        }
    }

    #[test]
    fn one_that_is_not_what_it_was_said_to_be_is_none() {
        assert_eq!(answer(&[], Phase::Failed, 100).status, 422);
        assert_eq!(answer(&[("idempotency-key", "k")], Phase::Deleted, 100).status, 410);
    }
}
