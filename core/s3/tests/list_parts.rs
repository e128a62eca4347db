//! Requests to S3's API and its answers against the crate `rusty-s3`: the same URLs, the same lists.

use std::time::Duration;

use jiff::Timestamp;
use proptest::prelude::*;
use rusty_s3::{Bucket, Credentials, S3Action, UrlStyle, actions};
use upload_s3::{Endpoint, Keys, Request, read_page};
use upload_types::units::{ByteCount, UnixMs};

const R2: &str = "https://0123456789abcdef.r2.cloudflarestorage.com";

fn keys() -> Keys {
    Keys { id: "AKIAIOSFODNN7EXAMPLE".to_owned(), secret: "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY".to_owned() }
}

/// Theirs has the parameters of the signature and those of the request in another order.
fn parameters(url: &str) -> Option<(String, Vec<String>)> {
    let (path, query) = url.split_once('?')?;
    let mut pairs: Vec<_> = query.split('&').map(str::to_owned).collect();
    pairs.sort();
    Some((path.to_owned(), pairs))
}

proptest! {
    #[test]
    fn a_part_is_signed_as_rusty_s3_signs_it(
        endpoint in prop::sample::select(vec![R2, "http://127.0.0.1:8787/cdn-cgi/local/r2/s3", "https://a.b:443/", "http://c:80"]),
        key in "[ -~äß]{1,40}",
        upload in "[a-zA-Z0-9+/=_-]{1,60}",
        number in 1..10_000_u16,
        length in proptest::option::of(0..1_u64 << 40),
        seconds in 0..4_000_000_000_u64,
        valid in 1..604_800_u64,
    ) {
        // Theirs resolves `.` and `..`, which no key of ours has.
        prop_assume!(key.split('/').all(|segment| !segment.starts_with('.') && !segment.is_empty()));
        let bucket = Bucket::new(endpoint.parse().unwrap(), UrlStyle::Path, "bucket-1", "auto").unwrap();
        let credentials = Credentials::new(keys().id, keys().secret);
        let mut action = actions::UploadPart::new(&bucket, Some(&credentials), &key, number, &upload);
        if let Some(length) = length {
            action.headers_mut().insert("content-length", length.to_string());
        }
        let time = Timestamp::from_second(seconds.try_into().unwrap()).unwrap();
        let theirs = action.sign_with_time(Duration::from_secs(valid), &time);
        let request = Request {
            method: "PUT",
            key: &key,
            query: vec![("partNumber", number.to_string()), ("uploadId", upload.clone())],
            content_length: length.and_then(ByteCount::new),
        };
        let ours = Endpoint::new(endpoint, "bucket-1").unwrap().sign(&request, &keys(), UnixMs(seconds * 1000), valid);
        prop_assert_eq!(parameters(&ours.unwrap()), parameters(theirs.as_str()));
    }
}

fn page(truncated: bool, parts: &str) -> String {
    format!(
        r#"<?xml version="1.0" encoding="UTF-8"?>
        <ListPartsResult xmlns="http://s3.amazonaws.com/doc/2006-03-01/"><Bucket>b</Bucket><Key>k</Key><UploadId>u</UploadId>
        <PartNumberMarker>1</PartNumberMarker><NextPartNumberMarker>3</NextPartNumberMarker><MaxParts>2</MaxParts>
        <IsTruncated>{truncated}</IsTruncated>{parts}<StorageClass>STANDARD</StorageClass></ListPartsResult>"#
    )
}

const PARTS: &str = r"<Part><PartNumber>2</PartNumber><LastModified>2026-11-21T20:48:34.000Z</LastModified>
    <ETag>&quot;7778aef83f66abc1fa1e8477f296d394&quot;</ETag><Size>10485760</Size></Part>
    <Part><ETag>aaaa18db4cc2f85cedef654fccc4a4x8</ETag><PartNumber>3</PartNumber>
    <LastModified>2026-11-21T20:48:34.000Z</LastModified><Size>7</Size></Part>";

#[test]
fn a_page_is_read_as_rusty_s3_reads_it() {
    for truncated in [true, false] {
        let xml = page(truncated, PARTS);
        let theirs = actions::ListParts::parse_response(&xml).unwrap();
        let ours = read_page(&xml).unwrap();
        assert_eq!(ours.next_behind, theirs.next_part_number_marker);
        assert_eq!(ours.parts.len(), 2);
        for (ours, theirs) in ours.parts.iter().zip(theirs.parts) {
            let etag = theirs.etag.trim_matches('"');
            assert_eq!((ours.number, ours.bytes.get(), ours.etag.as_str()), (theirs.number, theirs.size, etag));
        }
    }
    assert_eq!(read_page(&page(false, "")).unwrap().parts, []);
}

#[test]
fn what_is_not_a_page_is_none() {
    let endless = page(true, PARTS).replace("<NextPartNumberMarker>3", "<NextPartNumberMarker>0");
    let cut = page(false, PARTS);
    let cut = &cut[..cut.len() - 30];
    for xml in ["", "<html>", "<Error><Code>NoSuchUpload</Code></Error>", &endless, cut, &page(false, "<Part></Part>")]
    {
        assert_eq!(read_page(xml), None, "{xml}");
    }
}
