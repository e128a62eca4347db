//! Sizes and part numbers: the cases that matter, and what every plan must keep.

use super::*;
use proptest::prelude::*;

const LIMITS: Limits = Limits { max_upload_bytes: mib(1024 * 1024), max_chunk_bytes: mib(95) };

const fn mib(mib: u64) -> ByteCount {
    match ByteCount::new(mib * MIB) {
        Some(count) => count,
        None => ByteCount::ZERO,
    }
}

fn plan(mode: Mode, file: u64, chunk: Option<u64>) -> (u64, u64) {
    let plan = Plan::new(mode, Some(mib(file)), chunk.map(mib), LIMITS).unwrap();
    (plan.chunk_bytes.get() / MIB, plan.part_bytes.get() / MIB)
}

#[test]
fn sequential_chunk_and_part_sizes_in_mib() {
    // (file, wanted chunk) -> (chunk, part)
    for (file, wanted, expected) in [
        (100, None, (8, 8)),
        (100, Some(16), (16, 8)),
        (100, Some(1), (1, 8)),
        (100, Some(3), (3, 9)),
        (100, Some(5), (5, 5)),
        (100, Some(32), (32, 8)),
        (100, Some(90), (90, 9)),
        (100, Some(95), (95, 9)), // ten parts of 9.5 MiB
        (100, Some(500), (95, 9)),
        (62_500, None, (8, 8)),
        (64_001, None, (9, 9)),
        (64_001, Some(32), (32, 16)),
        (64_001, Some(8), (8, 16)),
        (8_000 * 95, None, (95, 95)),
        (0, None, (8, 8)),
    ] {
        assert_eq!(plan(Mode::Sequential, file, wanted), expected, "file {file} MiB, wanted {wanted:?}");
    }
    let odd = Plan::new(Mode::Sequential, Some(mib(100)), ByteCount::new(3_000_000), LIMITS).unwrap();
    assert_eq!((odd.chunk_bytes.get(), odd.part_bytes.get()), (3_000_000, 9_000_000));
}

#[test]
fn a_guess_is_fitted_to_the_first_chunk() {
    let guess = |file| Plan::for_chunks(Mode::Sequential, file, Chunking::Unspoken, LIMITS).unwrap();
    for (file, chunk, part) in [
        (Some(100), 16 * MIB, 8 * MIB),
        (Some(100), 6 * MIB, 6 * MIB),
        (Some(100), 50_000_000, 10_000_000),
        (Some(100), 3_000_000, 9_000_000),
        (Some(100), 70, 8_388_660),
        (Some(100), 90 * MIB, 9 * MIB),
        (Some(100), 90 * MIB + 1, 8 * MIB), // nothing but parts as large as the chunk would divide it
        (Some(100), 12_000_017, 12_000_017),
        (Some(64_001), 8 * MIB, 16 * MIB),
        (None, 8 * MIB, 96 * MIB),
        (None, 95 * MIB, 95 * MIB),
    ] {
        let fitted = guess(file.map(mib)).fitted_to(ByteCount::new(chunk).unwrap());
        let expected = ByteCount::new(part).unwrap();
        assert_eq!(fitted.part_bytes, expected, "file {file:?} MiB, chunk {chunk}");
        assert_eq!(fitted.chunk_bytes.get(), chunk, "what was seen, whatever the parts are");
    }
    let agreed = Plan::new(Mode::Sequential, Some(mib(100)), None, LIMITS).unwrap();
    assert_eq!(agreed.fitted_to(mib(6)), agreed, "a size that was told stays");
}

#[test]
fn a_chunk_with_a_checksum_is_a_part() {
    let sizes = |plan: Plan| (plan.chunk_bytes.get(), plan.part_bytes.get());
    let count = |chunk| ByteCount::new(chunk).unwrap();
    let agreed = |file| Plan::new(Mode::Sequential, Some(mib(file)), Some(mib(32)), LIMITS).unwrap();
    assert_eq!(sizes(agreed(100)), (32 * MIB, 8 * MIB));
    assert_eq!(sizes(agreed(100).with_chunk_as_part(mib(32))), (32 * MIB, 32 * MIB));
    assert_eq!(agreed(100).with_chunk_as_part(mib(24)), agreed(100), "not what was agreed");
    assert_eq!(sizes(agreed(20).with_chunk_as_part(mib(20))), (32 * MIB, 20 * MIB), "the whole file");
    assert_eq!(agreed(3).with_chunk_as_part(mib(3)), agreed(3), "the only part may be small, the others may not");

    let guess = |file| Plan::for_chunks(Mode::Sequential, file, Chunking::Unspoken, LIMITS).unwrap();
    let odd = 90 * MIB + 1;
    assert_eq!(sizes(guess(Some(mib(100))).with_chunk_as_part(count(odd))), (odd, odd));
    assert_eq!(guess(None).with_chunk_as_part(mib(8)), guess(None), "parts must be larger than that");
    let parallel = Plan::new(Mode::Parallel, Some(mib(100)), None, LIMITS).unwrap();
    assert_eq!(parallel.with_chunk_as_part(mib(100)), parallel);
}

#[test]
fn parallel_chunks_are_parts() {
    for (file, wanted, expected) in [
        (100, None, 8),
        (100, Some(1), 5),
        (100, Some(64), 64),
        (100, Some(500), 95),
        (40_000, None, 8),
        (102_400, None, 21),
        (5_000 * 95, None, 95),
    ] {
        assert_eq!(plan(Mode::Parallel, file, wanted), (expected, expected), "file {file} MiB, wanted {wanted:?}");
    }
}

#[test]
fn direct_chunks_are_as_large_as_r2_takes_a_part() {
    for (file, wanted, expected) in [
        (100, None, 64),
        (100, Some(1), 5),
        (10_000, Some(1_000), 1_000),
        (10_000, Some(9_000), 5_114),
        (1_000_000, None, 100),
        (1_048_576, Some(64), 105),
    ] {
        assert_eq!(plan(Mode::Direct, file, wanted), (expected, expected), "file {file} MiB, wanted {wanted:?}");
    }
    let unbounded = Limits { max_upload_bytes: ByteCount::MAX, ..LIMITS };
    assert_eq!(unbounded.largest_file(Mode::Direct).get(), MAX_OBJECT_BYTES);
    let unsized_ = Plan::new(Mode::Direct, None, None, LIMITS).unwrap();
    assert!(unsized_.open_ended && (9_900..=10_000).contains(&unsized_.part_count()), "{unsized_:?}");
}

#[test]
fn a_file_beyond_what_the_parts_hold_is_refused() {
    assert_eq!(Plan::new(Mode::Sequential, Some(mib(8_000 * 95 + 1)), None, LIMITS), Err(TooLarge));
    assert_eq!(Plan::new(Mode::Parallel, Some(mib(5_000 * 95 + 1)), None, LIMITS), Err(TooLarge));
    let small = Limits { max_upload_bytes: mib(10), ..LIMITS };
    assert_eq!(Plan::new(Mode::Sequential, Some(mib(11)), None, small), Err(TooLarge));
}

#[test]
fn chunks_own_their_numbers() {
    let numbers = |chunks| ChunkNumbers::new(Mode::Parallel, chunks);
    assert_eq!((numbers(5_000).of_chunk(0), numbers(5_000).of_chunk(4_999)), (Some(1..=2), Some(9_999..=10_000)));
    assert_eq!((numbers(1_250).of_chunk(1), numbers(1_250).of_chunk(1_250)), (Some(9..=16), None));
    assert_eq!(numbers(1).of_chunk(0), Some(1..=8), "more are never needed");
    assert_eq!(numbers(3).chunk_of(25), None, "nobody owns it");
    let direct = ChunkNumbers::new(Mode::Direct, 10_000);
    assert_eq!((direct.of_chunk(0), direct.of_chunk(9_999)), (Some(1..=1), Some(10_000..=10_000)));
    for mode in [Mode::Parallel, Mode::Direct] {
        for chunks in [1, 3, 7, 1_249, 4_999, 5_000] {
            let numbers = ChunkNumbers::new(mode, chunks);
            for chunk in [0, 1, chunks - 1].into_iter().filter(|chunk| *chunk < chunks) {
                let chunk = u32::try_from(chunk).unwrap();
                for number in numbers.of_chunk(chunk).unwrap() {
                    assert_eq!(numbers.chunk_of(number), Some(chunk));
                }
            }
        }
    }
}

#[test]
fn a_number_is_used_again_only_where_it_is_free_and_the_rest_of_the_file_fits_behind_it() {
    let free = |_: RangeInclusive<u16>| true;
    assert_eq!(lowest_free_number(7, 1, 9_993, free), Some(8));
    assert_eq!(lowest_free_number(7, 1, 9_994, free), None, "not all parts would fit behind number 8");
    let busy = |numbers: RangeInclusive<u16>| !(numbers.contains(&9) || numbers.contains(&12));
    assert_eq!(lowest_free_number(7, 1, 100, busy), Some(8));
    assert_eq!(lowest_free_number(7, 2, 100, busy), Some(10));
    assert_eq!(lowest_free_number(7, 3, 100, busy), Some(13));
    assert_eq!(lowest_free_number(8, 1, 9_992, busy), None, "number 9 has to become free");
}

#[test]
fn numbers_are_fresh_and_leave_enough_for_the_rest() {
    assert_eq!(fresh_numbers(0, 1, 1), Some(1..=1));
    assert_eq!(fresh_numbers(41, 3, 5), Some(42..=44));
    assert_eq!(fresh_numbers(9_999, 1, 1), Some(10_000..=10_000));
    assert_eq!(fresh_numbers(10_000, 1, 1), None);
    assert_eq!(fresh_numbers(9_990, 1, 11), None, "one number now would leave 9 for 10 parts");
}

proptest! {
    #[test]
    fn every_plan_fits_r2(parallel: bool, file in 0..8_000 * 95 * MIB, chunk in proptest::option::of(1..200 * MIB)) {
        let (mode, file) = if parallel { (Mode::Parallel, file * 5_000 / 8_000) } else { (Mode::Sequential, file) };
        let plan = Plan::new(mode, Some(ByteCount::new(file).unwrap()), chunk.and_then(ByteCount::new), LIMITS).unwrap();
        prop_assert!(plan.part_count() <= mode.max_parts());
        prop_assert!(plan.part_bytes.get() >= MIN_PART_BYTES);
        prop_assert!(plan.chunk_bytes <= LIMITS.max_chunk_bytes);
        let (chunk, part) = (plan.chunk_bytes.get(), plan.part_bytes.get());
        prop_assert!(chunk % part == 0 || part % chunk == 0 || mode == Mode::Parallel, "no rest in the common case");
    }

    #[test]
    fn every_fitted_plan_fits_r2(file in 1..8_000 * 95 * MIB, chunk in 1..95 * MIB) {
        let file = ByteCount::new(file).unwrap();
        let plan = Plan::for_chunks(Mode::Sequential, Some(file), Chunking::Unspoken, LIMITS).unwrap();
        let fitted = plan.fitted_to(ByteCount::new(chunk).unwrap());
        prop_assert!(fitted.part_count() <= MAX_PLANNED_PARTS && fitted.part_bytes.get() >= MIN_PART_BYTES);
        prop_assert!(fitted.part_bytes.get() <= 2 * plan.part_bytes.get().max(PREFERRED_PART_BYTES));
        let whole = plan.with_chunk_as_part(ByteCount::new(chunk).unwrap());
        prop_assert!(whole.part_count() <= MAX_PLANNED_PARTS && whole.part_bytes.get() >= MIN_PART_BYTES);
    }

    #[test]
    fn spans_tile_the_range(file in 1..400 * MIB, first in 0_u64..20) {
        let plan = Plan::new(Mode::Sequential, Some(ByteCount::new(file).unwrap()), None, LIMITS).unwrap();
        let from = ByteCount::new(first * plan.part_bytes.get()).unwrap().min(plan.file_bytes);
        let mut at = from;
        let mut count = 0;
        for span in plan.spans(from, plan.file_bytes) {
            prop_assert_eq!(span.offset, at);
            prop_assert_eq!(plan.part_start(at), at);
            at = at.checked_add(span.bytes).unwrap();
            prop_assert!(span.bytes == plan.part_bytes || at == plan.file_bytes);
            prop_assert_eq!(plan.whole_parts_end(at), at);
            count += 1;
        }
        prop_assert_eq!(at, plan.file_bytes);
        prop_assert_eq!(count, plan.parts_between(from, plan.file_bytes));
    }
}
