//! The answer to `ListParts` (<https://docs.aws.amazon.com/AmazonS3/latest/API/API_ListParts.html>): flat, made by a machine, and
//! nothing in it that we read can contain markup, so elements are found by their tags.

use upload_types::units::ByteCount;

/// One page.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Page {
    /// In the order of their numbers.
    pub parts: Vec<ListedPart>,
    /// Behind which number the next page begins; none where this is the last.
    pub next_behind: Option<u16>,
}

/// A part as R2 has it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ListedPart {
    /// Its number.
    pub number: u16,
    /// Without quotes, as completion wants it.
    pub etag: String,
    /// Its length.
    pub bytes: ByteCount,
}

/// Reads a page; `None` where it is not one.
pub fn read_page(xml: &str) -> Option<Page> {
    if !xml.contains("<ListPartsResult") || !xml.contains("</ListPartsResult>") {
        return None;
    }
    let parts = xml.split("<Part>").skip(1).map(part).collect::<Option<_>>()?;
    let next_behind = match element(xml, "IsTruncated")? {
        "true" => Some(element(xml, "NextPartNumberMarker")?.parse().ok().filter(|behind| *behind > 0)?),
        _ => None,
    };
    Some(Page { parts, next_behind })
}

fn part(xml: &str) -> Option<ListedPart> {
    let (xml, _) = xml.split_once("</Part>")?;
    let etag = element(xml, "ETag")?.replace("&quot;", "\"").replace("&#34;", "\"");
    Some(ListedPart {
        number: element(xml, "PartNumber")?.parse().ok()?,
        etag: etag.trim_matches('"').to_owned(),
        bytes: element(xml, "Size")?.parse().ok().and_then(ByteCount::new)?,
    })
}

fn element<'a>(xml: &'a str, name: &str) -> Option<&'a str> {
    let (_, rest) = xml.split_once(&format!("<{name}>"))?;
    let (text, _) = rest.split_once(&format!("</{name}>"))?;
    Some(text.trim())
}
