//! Requests of whoever runs it, as tables.

use super::*;
use upload_types::{
    ledger::{EntryName, ListQuery, Listed},
    link::LinkRequest,
};

const ID: &str = "067e6162-3b6f-4ae2-a171-2470b63dff00";

fn head(method: Method, route: &str) -> Head {
    let (path, query) = route.split_once('?').unwrap_or((route, ""));
    let (path, query) = (format!("{PATH}{path}"), query.to_owned());
    Head { method, path, query, headers: crate::Headers::default() }
}

fn asked(method: Method, route: &str, body: &str) -> Result<AdminOperation, ApiError> {
    let head = head(method, route);
    let operation = match crate::json::parse(&head)? {
        Parsed::Ready(operation) => *operation,
        Parsed::NeedsBody { finish, .. } => finish(&head, body.as_bytes())?,
        Parsed::Form(_) => panic!("a form"),
    };
    match operation {
        Operation::Admin(operation) => Ok(operation),
        other => panic!("{other:?}"),
    }
}

#[test]
fn each_route_asks_for_its_own() {
    let id = UploadId::parse(ID).unwrap();
    let switch = |mode, reason: Option<&str>, expires_in_seconds| {
        let reason = reason.map(str::to_owned);
        AdminOperation::SetSwitch(SwitchRequest { mode, reason, expires_in_seconds })
    };
    let all = ListQuery { listed: Listed::All, prefix: "a/".to_owned(), after: None };
    let redeliver = "failed-deliveries/redeliver";
    let one = &format!("uploads/{ID}");
    for (method, route, body, expected) in [
        (Method::GET, "owners", "", AdminOperation::ListOwners(None)),
        (Method::GET, "owners?cursor=%C3%A4/b", "", AdminOperation::ListOwners(Some("ä/b".to_owned()))),
        (
            Method::GET,
            "uploads?owner=%C3%A4%2Fb&state=all&prefix=a/",
            "",
            AdminOperation::ListUploads("ä/b".to_owned(), all),
        ),
        (Method::GET, one, "", AdminOperation::Show(id)),
        (Method::DELETE, one, "", AdminOperation::Delete(id)),
        (Method::POST, &format!("{one}/redeliver"), "", AdminOperation::Redeliver(id)),
        (Method::POST, &format!("{one}/release"), "", AdminOperation::Release(id)),
        (Method::POST, &format!("{one}/reject"), "", AdminOperation::Reject(id, String::new())),
        (
            Method::POST,
            &format!("{one}/links"),
            r#"{"expiresInSeconds":60}"#,
            AdminOperation::Link(id, LinkRequest { expires_in_seconds: Some(60), ..LinkRequest::default() }),
        ),
        (Method::POST, "uploads/delete", &format!(r#"{{"uploadIds":["{ID}"]}}"#), AdminOperation::DeleteMany(vec![id])),
        (Method::GET, "held-uploads", "", AdminOperation::ListHeld(None)),
        (
            Method::GET,
            &format!("held-uploads?cursor=17.{ID}"),
            "",
            AdminOperation::ListHeld(Some(EntryName { created_at: UnixMs(17), upload_id: id })),
        ),
        (Method::GET, "failed-deliveries", "", AdminOperation::ListFailedDeliveries(None)),
        (Method::GET, &format!("failed-deliveries?cursor={ID}"), "", AdminOperation::ListFailedDeliveries(Some(id))),
        (Method::POST, redeliver, r#"{"all":true}"#, AdminOperation::RedeliverMany(Redelivery::All(None))),
        (
            Method::POST,
            redeliver,
            &format!(r#"{{"all":true,"cursor":"{ID}"}}"#),
            AdminOperation::RedeliverMany(Redelivery::All(Some(id))),
        ),
        (
            Method::POST,
            redeliver,
            &format!(r#"{{"uploadIds":["{ID}","{ID}"],"all":false}}"#),
            AdminOperation::RedeliverMany(Redelivery::These(vec![id])),
        ),
        (Method::GET, "switch", "", AdminOperation::ReadSwitch),
        (Method::PUT, "switch", r#"{"mode":"closed"}"#, switch(SwitchMode::Closed, None, None)),
        (
            Method::PUT,
            "switch",
            r#"{"mode":"read-only","reason":"ü","expiresInSeconds":2592000}"#,
            switch(SwitchMode::ReadOnly, Some("ü"), Some(2_592_000)),
        ),
        (Method::PUT, "switch", r#"{"mode":"open","reason":""}"#, switch(SwitchMode::Open, None, None)),
    ] {
        assert_eq!(asked(method, route, body), Ok(expected), "{route} {body}");
    }
    assert_eq!(MAX_SWITCH_SECONDS, 2_592_000, "as the complaint says");
}

#[test]
fn every_complaint_names_its_field() {
    let long = format!(r#"{{"mode":"closed","reason":"{}"}}"#, "ü".repeat(501));
    let many = |count: usize| format!(r#"{{"uploadIds":[{}]}}"#, vec![format!("\"{ID}\""); count].join(","));
    let redeliver = "failed-deliveries/redeliver";
    for (method, route, body, field) in [
        (Method::GET, "uploads", "", "owner"),
        (Method::GET, "uploads?owner=", "", "owner"),
        (Method::GET, "uploads?owner=%0Aregister", "", "owner"),
        (Method::GET, "uploads?owner=a&state=gone", "", "state"),
        (Method::GET, "uploads?owner=a&cursor=x", "", "cursor"),
        (Method::GET, "owners?cursor=", "", "cursor"),
        (Method::GET, "owners?cursor=%0Aregister", "", "cursor"),
        (Method::GET, "held-uploads?cursor=", "", "cursor"),
        (Method::GET, &format!("held-uploads?cursor={ID}"), "", "cursor"),
        (Method::GET, "failed-deliveries?cursor=1", "", "cursor"),
        (Method::PUT, "switch", "", "body"),
        (Method::PUT, "switch", "[]", "body"),
        (Method::PUT, "switch", "{}", "mode"),
        (Method::PUT, "switch", r#"{"mode":"off"}"#, "mode"),
        (Method::PUT, "switch", r#"{"mode":7}"#, "mode"),
        (Method::PUT, "switch", r#"{"mode":"closed","untilMs":7}"#, "untilMs"),
        (Method::PUT, "switch", r#"{"mode":"closed","reason":7}"#, "reason"),
        (Method::PUT, "switch", r#"{"mode":"closed","reason":"a\nb"}"#, "reason"),
        (Method::PUT, "switch", &long, "reason"),
        (Method::PUT, "switch", r#"{"mode":"closed","expiresInSeconds":0}"#, "expiresInSeconds"),
        (Method::PUT, "switch", r#"{"mode":"closed","expiresInSeconds":2592001}"#, "expiresInSeconds"),
        (Method::PUT, "switch", r#"{"mode":"closed","expiresInSeconds":"60"}"#, "expiresInSeconds"),
        (Method::PUT, "switch", r#"{"mode":"open","expiresInSeconds":60}"#, "expiresInSeconds"),
        (Method::POST, redeliver, "{}", "uploadIds"),
        (Method::POST, redeliver, r#"{"all":false}"#, "uploadIds"),
        (Method::POST, redeliver, r#"{"all":"yes"}"#, "all"),
        (Method::POST, redeliver, r#"{"all":true,"uploadIds":[]}"#, "all"),
        (Method::POST, redeliver, r#"{"all":true,"cursor":"x"}"#, "cursor"),
        (Method::POST, redeliver, &format!(r#"{{"uploadIds":[],"cursor":"{ID}"}}"#), "cursor"),
        (Method::POST, redeliver, r#"{"uploadIds":["x"]}"#, "uploadIds"),
        (Method::POST, redeliver, &many(101), "uploadIds"),
        (Method::POST, "uploads/delete", &many(1_001), "uploadIds"),
        (Method::POST, "uploads/delete", r#"{"all":true}"#, "all"),
    ] {
        match asked(method, route, body) {
            Err(ApiError::BadRequest { field: named, .. }) => assert_eq!(named, field, "{route} {body:.60}"),
            other => panic!("{route} {body:.60}: {other:?}"),
        }
    }
}

#[test]
fn what_is_no_route_or_no_id_or_another_method_is_said() {
    for (method, route, expected) in [
        (Method::GET, "", "no-such-route"),
        (Method::GET, "upload", "no-such-route"),
        (Method::GET, "owners/alice", "no-such-route"),
        (Method::GET, "uploads/x", "upload-not-found"),
        (Method::GET, &format!("uploads/{}", ID.to_uppercase()), "upload-not-found"),
        (Method::GET, &format!("uploads/{ID}/log"), "no-such-route"),
        (Method::POST, "owners", "method-not-allowed"),
        (Method::POST, "held-uploads", "method-not-allowed"),
        (Method::POST, "switch", "method-not-allowed"),
        (Method::GET, "uploads/delete", "method-not-allowed"),
        (Method::PUT, &format!("uploads/{ID}"), "method-not-allowed"),
        (Method::GET, &format!("uploads/{ID}/links"), "method-not-allowed"),
    ] {
        let refusal = asked(method, route, "").unwrap_err();
        assert_eq!(refusal.code(), expected, "{route}");
    }
}

#[test]
fn a_switch_that_has_expired_is_open() {
    let set = Switch {
        mode: SwitchMode::Closed,
        reason: Some("r".to_owned()),
        expires_at: Some(UnixMs(9_000)),
        changed_at: UnixMs(5_000),
        changed_by: "ops".to_owned(),
        version: 1,
    };
    let known = json!({ "changedAt": "1970-01-01T00:00:05.000Z", "changedBy": "ops" });
    let mut before = json!({ "mode": "closed", "reason": "r", "expiresAt": "1970-01-01T00:00:09.000Z" });
    let mut after = json!({ "mode": "open", "reason": null, "expiresAt": null });
    for shown in [&mut before, &mut after] {
        shown.as_object_mut().unwrap().extend(known.as_object().unwrap().clone());
    }
    assert_eq!((shown(&set, UnixMs(8_999)), shown(&set, UnixMs(9_000))), (before, after));
    let never = shown(&Switch::default(), UnixMs(1));
    assert_eq!((&never["mode"], &never["changedAt"]), (&json!("open"), &Value::Null));
}
