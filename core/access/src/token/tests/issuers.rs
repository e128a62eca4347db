//! Whose tokens are taken, what their claims mean, and that no issuer vouches for another's.

use super::*;

/// One entry of the list, with changes; `null` takes a field away.
fn entry(changes: Value) -> Value {
    let mut entry = json!({
        "name": "github", "issuer": "https://github.example", "audience": AUDIENCE, "jwksUrl": "https://github.example/jwks",
    });
    let (Some(fields), Value::Object(changes)) = (entry.as_object_mut(), changes) else { unreachable!() };
    for (name, value) in changes {
        if value.is_null() {
            fields.remove(&name)
        } else {
            fields.insert(name, value)
        };
    }
    entry
}

fn list(entries: &[Value]) -> Vec<Issuer> {
    further(&json!(entries).to_string()).unwrap()
}

/// What a token says to the issuer whose it is, as if its signature had been right.
fn said_to(issuers: &Issuers, payload: &Value) -> Result<(Option<String>, Claims), TokenFault> {
    let text = mint(payload);
    let token = Unverified::parse(&text)?;
    let issuer = issuers.of(&token)?;
    let claims = token.clone().verified_by_platform(true)?.claims(issuer, NOW)?;
    Ok((issuer.name.clone(), claims))
}

fn owner_of(issuers: &Issuers, payload: &Value) -> Result<String, TokenFault> {
    said_to(issuers, payload).map(|(_, claims)| claims.owner)
}

fn of_github(more: Value) -> Value {
    let mut payload = with(more);
    payload["iss"] = json!("https://github.example");
    payload
}

#[test]
fn a_token_is_checked_by_the_issuer_that_its_iss_names_and_by_no_other() {
    let issuers = Issuers::new(Some(own()), list(&[entry(json!({}))]));
    let of = |payload: &Value| {
        let text = mint(payload);
        issuers.of(&Unverified::parse(&text).unwrap()).map(|issuer| issuer.name.clone())
    };
    assert_eq!(of(&of_github(json!({}))), Ok(Some("github".to_owned())));
    for elsewhere in
        [json!({}), json!({ "iss": "https://github.example/" }), json!({ "iss": ["https://github.example"] })]
    {
        assert_eq!(of(&with(elsewhere)), Ok(None), "the deployment's own looks at no iss");
    }
    let named = Issuer { iss: Some("https://app.example".to_owned()), ..own() };
    let issuers = Issuers::new(Some(named), list(&[entry(json!({}))]));
    let of = |payload: &Value| owner_of(&issuers, payload);
    assert_eq!(of(&with(json!({ "iss": "https://app.example" }))).as_deref(), Ok("alice"));
    assert_eq!(of(&of_github(json!({}))).as_deref(), Ok("github:alice"));
    for stranger in [json!({}), json!({ "iss": "https://app.example/" }), json!({ "iss": 7 }), json!({ "iss": "" })] {
        assert_eq!(of(&with(stranger.clone())), Err(TokenFault::Issuer), "{stranger}");
    }
    let only = Issuers::new(None, list(&[entry(json!({}))]));
    assert_eq!(owner_of(&only, &good()), Err(TokenFault::Issuer));
    assert!(matches!(owner_of(&only, &json!("alice")), Err(TokenFault::Malformed(_))));
}

#[test]
fn an_identity_provider_makes_admins_only_where_its_entry_says_so() {
    let payload = of_github(json!({ "quayside": { "scope": "admin" } }));
    let admin = |changes: Value| {
        let issuers = Issuers::new(Some(own()), list(&[entry(changes)]));
        said_to(&issuers, &payload).map(|(_, claims)| (claims.is_admin, claims.owner))
    };
    assert!(matches!(admin(json!({})), Err(TokenFault::Claim(claim, _)) if claim == "quayside"));
    assert!(matches!(admin(json!({ "admin": false })), Err(TokenFault::Claim(..))));
    assert_eq!(admin(json!({ "admin": true })), Ok((true, "github:alice".to_owned())));
    for wrong in [json!("true"), json!(1), json!({})] {
        assert!(further(&json!([entry(json!({ "admin": wrong }))]).to_string()).is_err());
    }
    let by_setting = entry(json!({ "admin": true, "defaultPolicy": { "scope": "admin" } }));
    let complaint = further(&json!([by_setting]).to_string()).unwrap_err();
    assert!(complaint.contains("defaultPolicy has a scope"), "{complaint}");
}

#[test]
fn whoever_is_chosen_looks_at_the_iss_again() {
    let [github] = &list(&[entry(json!({}))])[..] else { unreachable!() };
    assert_eq!(genuine(&mint(&good())).unwrap().claims(github, NOW), Err(TokenFault::Issuer));
}

#[test]
fn of_two_entries_with_one_iss_the_first_that_admits_is_meant() {
    let main = entry(json!({ "name": "main", "rules": { "sub": "repo:a/b:*" }, "defaultPolicy": { "maxBytes": 9 } }));
    let any = entry(json!({ "name": "any", "audience": "elsewhere" }));
    let issuers = Issuers::new(Some(own()), list(&[main, any]));
    let name = |payload: Value| said_to(&issuers, &of_github(payload)).map(|(name, _)| name.unwrap());
    assert_eq!(name(json!({ "sub": "repo:a/b:x" })).as_deref(), Ok("main"));
    assert_eq!(name(json!({ "sub": "repo:a/c:x", "aud": "elsewhere" })).as_deref(), Ok("any"));
    assert_eq!(name(json!({ "sub": "repo:a/c:x" })), Err(TokenFault::Rule("sub".to_owned())), "the first says why");
}

#[test]
fn owners_of_two_issuers_are_never_one_by_accident() {
    let issuers = Issuers::new(
        Some(own()),
        list(&[
            entry(json!({})),
            entry(json!({
                "name": "shared", "issuer": "https://shared.example", "ownerPrefix": "",
            })),
        ]),
    );
    let shared = |sub: &str| with(json!({ "sub": sub, "iss": "https://shared.example" }));
    assert_eq!(owner_of(&issuers, &of_github(json!({}))).as_deref(), Ok("github:alice"));
    assert_eq!(owner_of(&issuers, &shared("alice")).as_deref(), Ok("alice"), "where somebody wants it so");
    for payload in [with(json!({ "sub": "github:alice" })), shared("github:alice")] {
        let fault = owner_of(&issuers, &payload).unwrap_err();
        assert_eq!(fault, TokenFault::claim("sub", "begins like the owners of another issuer"));
    }
    assert_eq!(owner_of(&issuers, &of_github(json!({ "sub": "github:alice" }))).as_deref(), Ok("github:github:alice"));
}

#[test]
fn claims_are_looked_for_where_the_issuer_says() {
    let mapped = entry(json!({
        "audienceClaim": "client_id", "ownerClaim": "email, common_name", "tenantClaim": "o.id", "policyClaim": "https://app.example/terms",
        "defaultPolicy": { "maxBytes": 5, "keyPrefix": "in/" },
    }));
    let issuers = Issuers::new(Some(own()), list(&[mapped]));
    let payload = |more: Value| {
        let mut all = of_github(
            json!({ "aud": null, "sub": "", "client_id": AUDIENCE, "email": "a@b.c", "o": { "id": "acme" } }),
        );
        all.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        all
    };
    let (_, claims) = said_to(&issuers, &payload(json!({}))).unwrap();
    assert_eq!(claims.owner, "github:acme/a@b.c");
    assert_eq!(claims.permit.max_bytes, ByteCount::new(5), "no claim says it, so the default holds");
    assert_eq!(claims.permit.key_prefix, "acme/in/");
    let (_, claims) = said_to(&issuers, &payload(json!({ "https://app.example/terms": { "delete": true } }))).unwrap();
    assert_eq!(
        (claims.permit.max_bytes, claims.permit.delete),
        (None, true),
        "what a token says takes the default's place"
    );
    assert_eq!(claims.permit.key_prefix, "acme/");
    let machine = payload(json!({ "email": "", "common_name": "ci.access" }));
    assert_eq!(owner_of(&issuers, &machine).as_deref(), Ok("github:acme/ci.access"));
    for (more, name) in [
        (json!({ "client_id": null }), "client_id"),
        (json!({ "client_id": 7 }), "client_id"),
        (json!({ "email": null }), "email"),
        (json!({ "email": ["a@b.c"] }), "email"),
        (json!({ "email": "x".repeat(250) }), "email"),
        (json!({ "o": null }), "o.id"),
        (json!({ "o": { "id": "a/b" } }), "o.id"),
        (json!({ "o": { "id": ".." } }), "o.id"),
        (json!({ "o": { "id": "x".repeat(129) } }), "o.id"),
        (json!({ "https://app.example/terms": { "size": 5 } }), "https://app.example/terms"),
    ] {
        let fault = owner_of(&issuers, &payload(more.clone())).unwrap_err();
        assert!(matches!(&fault, TokenFault::Claim(claim, _) if claim == name), "{more:.60}: {fault}");
    }
}

#[test]
fn a_fault_names_the_setting_that_helps() {
    let [github] = &list(&[entry(json!({ "tenantClaim": "org" }))])[..] else { unreachable!() };
    for (fault, setting, field) in [
        (TokenFault::Audience, "TOKEN_AUDIENCE", "audience"),
        (TokenFault::UnknownKey, "TOKEN_JWKS_URL", "jwksUrl"),
        (TokenFault::Rule("sub".to_owned()), "TOKEN_RULES", "rules"),
        (TokenFault::claim("aud", "is missing"), "AUDIENCE_CLAIM", "audienceClaim"),
        (TokenFault::claim("sub", "is missing"), "OWNER_CLAIM", "ownerClaim"),
    ] {
        assert!(own().told(&fault).contains(setting), "{fault}");
        let told = github.told(&fault);
        assert!(told.contains(&format!("{field} of the issuer github in TOKEN_ISSUERS")), "{told}");
    }
    assert!(github.told(&TokenFault::claim("org", "is missing")).contains("tenantClaim"));
    assert!(
        TokenFault::Issuer.to_string().contains("TOKEN_ISSUER") && TokenFault::SmallKey.to_string().contains("2,048")
    );
    assert_eq!(own().told(&TokenFault::Signature), "The token's signature is not valid.");
}

#[test]
fn a_list_that_is_wrong_says_where() {
    assert_eq!(further(""), Ok(Vec::new()));
    for (changes, complaint) in [
        (json!({ "name": null }), "missing field `name`"),
        (json!({ "name": "Git Hub" }), "name is not"),
        (json!({ "name": "x".repeat(33) }), "name is not"),
        (json!({ "issuer": "" }), "issuer is empty"),
        (json!({ "audience": "" }), "audience is empty"),
        (json!({ "audience": null }), "missing field `audience`"),
        (json!({ "audience": ["a"] }), "invalid type"),
        (json!({ "jwksUrl": "http://github.example/jwks" }), "jwksUrl does not begin with https://"),
        (json!({ "jwks": "https://github.example" }), "unknown field `jwks`"),
        (json!({ "audienceClaim": "" }), "audienceClaim is not"),
        (json!({ "ownerClaim": "" }), "ownerClaim is not"),
        (json!({ "ownerPrefix": "git" }), "ownerPrefix is neither"),
        (json!({ "ownerPrefix": ":" }), "ownerPrefix is neither"),
        (json!({ "tenantClaim": "a b" }), "tenantClaim is not"),
        (json!({ "policyClaim": "" }), "policyClaim is not"),
        (json!({ "defaultPolicy": { "size": 5 } }), "defaultPolicy has an unknown field"),
        (
            json!({ "defaultPolicy": { "upload": UploadId::from_random_bytes([7; 16]) } }),
            "defaultPolicy names an upload",
        ),
        (json!({ "rules": { "sub": "a*b" } }), "rules has a value"),
        (json!({ "rules": {} }), "rules asks for nothing"),
    ] {
        let said =
            further(&json!([entry(json!({ "name": "first" })), entry(changes.clone())]).to_string()).unwrap_err();
        assert!(said.starts_with("entry 1: ") && said.contains(complaint), "{changes:.60}: {said}");
    }
    for field in ["rules", "defaultPolicy", "tenantClaim", "issuer"] {
        let mut nothing = entry(json!({}));
        nothing[field] = json!(null);
        let said = further(&json!([nothing]).to_string()).unwrap_err();
        assert_eq!(said, format!("entry 0: {field} is null: give it a value, or leave it out"));
    }
    let twice = json!([entry(json!({})), entry(json!({}))]).to_string();
    assert_eq!(further(&twice), Err("entry 1: name is that of another".to_owned()));
    for text in ["{}", "[", "github", "7"] {
        assert!(further(text).unwrap_err().contains("list"), "{text}");
    }
    let many: Vec<_> = (0..17).map(|number| entry(json!({ "name": format!("n{number}") }))).collect();
    assert_eq!(further(&json!(many).to_string()), Err("has more than 16 issuers".to_owned()));
}

#[test]
fn keys_come_from_where_nobody_on_the_way_can_change_them() {
    for safe in
        ["https://a.example/jwks", "https://a.example", "http://127.0.0.1:8080/jwks?a@b", "https://a.example/@x"]
    {
        assert!(is_safe_url(safe), "{safe}");
    }
    for unsafe_url in [
        "http://a.example/jwks",
        "http://127.0.0.1.evil.example/",
        "http://127.0.0.1:1@evil.example/",
        "https://me@a.example/",
        "https://me:secret@a.example?x",
        "https:\\\\me@a.example",
    ] {
        assert!(!is_safe_url(unsafe_url), "{unsafe_url}");
    }
}
