//! Something to put into the fields of an error, where it does not matter what: for the reference, which shows each error once.

use crate::{
    units::{ByteCount, UploadId},
    upload::Phase,
};

/// Something to put into a field: what it is does not matter.
pub(super) trait Sample {
    fn sample() -> Self;
}

macro_rules! samples {
    ($($type:ty => $sample:expr),+ $(,)?) => {
        $(impl Sample for $type {
            fn sample() -> Self {
                $sample
            }
        })+
    };
}

samples! {
    bool => true,
    u16 => 1,
    u32 => 1,
    Option<u32> => Some(1),
    String => "x".to_owned(),
    ByteCount => 1.into(),
    Option<ByteCount> => Some(1.into()),
    Phase => Phase::Expired,
    UploadId => UploadId::from_random_bytes([0; 16]),
}
