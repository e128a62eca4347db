//! What is left of a chunk whose front counts already.

use super::*;
use crate::{chunk::Named, integrity::Algorithm};

#[test]
fn the_rest_of_a_chunk_is_what_lies_behind_its_counted_front() {
    let chunk = |overlap, digest| Append {
        id: UploadId::from_random_bytes([1; 16]),
        offset: 10.into(),
        named: Named::ByRange,
        overlap,
        completes: Completion::WhenWhole,
        length: 5.into(),
        file_bytes: None,
        digest,
        wait: Wait::No,
    };
    let passed_over = chunk(Overlap::PassedOver, None);
    for (counted, rest) in [(0, None), (10, None), (11, Some((11, 4))), (14, Some((14, 1))), (15, None), (99, None)] {
        let found = passed_over.behind(counted.into()).map(|rest| (rest.offset, rest.length));
        let expected = rest.map(|(offset, length): (u32, u32)| (offset.into(), length.into()));
        assert_eq!(found, expected, "{counted}");
    }
    assert_eq!(chunk(Overlap::Refused, None).behind(11.into()), None);
    assert_eq!(chunk(Overlap::Compared, None).behind(11.into()), None);
    assert!(chunk(Overlap::Compared, None).is_all_or_nothing() && !passed_over.is_all_or_nothing());
    let digest = ChunkDigest { algorithm: Algorithm::Sha256, value: vec![0; 32] };
    let digested = chunk(Overlap::PassedOver, Some(digest));
    assert!(digested.is_all_or_nothing());
    assert_eq!(digested.behind(11.into()), None);
}
