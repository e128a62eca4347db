//! Whatever a file is and in whatever pieces it comes, the same is found, and nothing that is not there.

use proptest::prelude::*;

use super::{
    super::{
        LONGEST_MS,
        cutter::Cutter,
        samples::{Packet, Run, boxed, fragment, moof, traf, transport, usual_head},
    },
    bytes, cuts, look,
};

/// A file, cut in pieces by readers that go on where another was, each of which reads so many bytes at once and so often.
fn cut_in_turns(file: &[u8], turns: &[(usize, usize)]) -> (String, String) {
    let (mut known, mut found) = (String::new(), String::new());
    for (read_bytes, reads) in turns.iter().cycle().take(1_000).chain([&(file.len().max(1), 2)]) {
        let mut cutter = Cutter::knowing(&format!("{known}\n"));
        for _ in 0..*reads {
            let Some(rest) = usize::try_from(cutter.wants()).ok().and_then(|at| file.get(at..)) else { break };
            cutter.feed(&rest[..(*read_bytes).min(rest.len())]);
        }
        let there = cutter.wants().min(file.len() as u64);
        cutter.reached(there);
        let is_all = cutter.wants() >= file.len() as u64;
        if is_all && !cutter.is_done() {
            cutter.end(file.len() as u64);
        }
        (known, found) = (cutter.known(), found + cutter.cuts());
        if cutter.is_done() {
            break;
        }
    }
    (known, found)
}

/// A fragment of one kind or another, of so many milliseconds.
fn any_fragment(ms: u32, kind: u8, bytes: usize) -> Vec<u8> {
    let run = |track| Run { track, samples: 2, sample_ms: ms / 2, is_key: kind.is_multiple_of(2) };
    let mdat = boxed(b"mdat", &vec![0xab; bytes]);
    match kind {
        0 | 1 => [moof(&[traf(run(2), false)]), mdat].concat(),
        2 | 3 => [moof(&[traf(run(1), true)]), mdat].concat(),
        4 => [moof(&[traf(run(9), true)]), mdat].concat(),
        5 => moof(&[traf(run(1), false), traf(run(2), true)]),
        6 => mdat,
        _ => fragment(ms, kind.is_multiple_of(2), bytes),
    }
}

/// Packets, some of which are tables, have a clock or are none, at so many milliseconds each.
fn any_packets(packets: &[(u8, u16)]) -> Vec<u8> {
    let (mut file, mut clock) = (transport(1, 0, 1), 0);
    for (kind, ms) in packets {
        clock += u64::from(*ms) * 90;
        let packet = Packet { pid: 0x100, begins: *ms % 3 == 0, is_key: *ms % 2 == 0, clock: None };
        file.extend(match kind {
            0 => Packet { pid: 0, ..packet }.bytes(),
            1 => Packet { pid: 0x1000, ..packet }.bytes(),
            2 | 3 => packet.bytes(),
            4 => vec![0x47; usize::from(*ms) % 400],
            5 => vec![0; usize::from(*ms) % 400],
            _ => Packet { clock: Some(clock), ..packet }.bytes(),
        });
    }
    file
}

/// Of all that is known, and of some that nobody makes.
fn any_recording() -> impl Strategy<Value = Vec<u8>> {
    let fragments = proptest::collection::vec((1_u32..5_000, any::<bool>(), 0_usize..3_000), 1..30);
    let mp4 = fragments.prop_map(|fragments| {
        let fragments = fragments.into_iter().flat_map(|(ms, is_key, bytes)| fragment(ms, is_key, bytes));
        usual_head().into_iter().chain(fragments).collect::<Vec<u8>>()
    });
    let ts = (1_u64..400, 0_u64..1 << 33, 1_u64..150).prop_map(|(tenths, clock, key)| transport(tenths, clock, key));
    let fragments = proptest::collection::vec((2_u32..5_000, 0_u8..30, 0_usize..3_000), 1..30);
    let odd_mp4 = fragments.prop_map(|fragments| {
        let fragments = fragments.into_iter().flat_map(|(ms, kind, bytes)| any_fragment(ms, kind, bytes));
        usual_head().into_iter().chain(fragments).collect::<Vec<u8>>()
    });
    let odd_ts = proptest::collection::vec((0_u8..12, 0_u16..2_000), 1..200).prop_map(|packets| any_packets(&packets));
    let noise = proptest::collection::vec(any::<u8>(), 0..4_000);
    let any = prop_oneof![mp4, ts, odd_mp4, odd_ts];
    // As it is; with other bytes here and there; and broken off.
    prop_oneof![
        any.clone(),
        (any.clone(), noise, prop_oneof![Just(37_usize), Just(188)]).prop_map(|(mut file, noise, each)| {
            for (at, byte) in noise.iter().enumerate() {
                if byte % 16 == 0
                    && let Some(place) = file.get_mut(at * each)
                {
                    *place = byte.wrapping_mul(91);
                }
            }
            file
        }),
        (any, 0_usize..100).prop_map(|(mut file, percent)| {
            file.truncate(file.len() * percent / 100);
            file
        })
    ]
}

proptest! {
    #[test]
    fn the_same_is_found_in_whatever_pieces_it_comes(
        file in any_recording(),
        turns in proptest::collection::vec((2_000_usize..9_000, 1_usize..4), 1..6),
    ) {
        let mut whole = Cutter::default();
        look(&mut whole, &file, file.len());
        if !whole.is_done() {
            whole.end(file.len() as u64);
        }
        let turned = cut_in_turns(&file, &turns);
        prop_assert_eq!(turned, (whole.known(), whole.cuts().to_owned()));
    }

}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(16))]

    #[test]
    fn each_byte_may_come_alone(file in any_recording()) {
        let mut whole = Cutter::default();
        look(&mut whole, &file, file.len());
        let mut single = Cutter::default();
        look(&mut single, &file, 1);
        prop_assert_eq!((single.known(), single.cuts()), (whole.known(), whole.cuts()));
    }

    #[test]
    fn no_file_makes_a_segment_too_long_or_bytes_that_are_not_there(
        file in prop_oneof![any_recording(), proptest::collection::vec(any::<u8>(), 0..2_000)],
    ) {
        let mut cutter = Cutter::default();
        look(&mut cutter, &file, 3_000);
        cutter.end(file.len() as u64);
        let found = cuts(cutter.cuts());
        prop_assert!(found.iter().all(|(bytes, ms)| *bytes > 0 && (1..=LONGEST_MS).contains(ms)), "{:?}", found);
        prop_assert!(bytes(&found) <= file.len() as u64);
    }
}
