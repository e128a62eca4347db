//! What has no time of its own, begins without a key frame or without tables, or would be too much, is not made to look like something else.

use super::{
    super::{
        cutter::Cutter,
        packets::LONGEST_SILENCE_BYTES,
        playlist,
        samples::{Packet, Run, boxed, fragment, moof, traf, transport, usual_head},
        state::{Kind, State},
    },
    bytes, cut, cut_growing, cuts, kept, look, recording, times,
};
use upload_types::api_error::ApiError;

/// A fragment of one track alone.
fn alone(track: u32, ms: u32, data_bytes: usize) -> Vec<u8> {
    let run = Run { track, samples: 4, sample_ms: ms / 4, is_key: true };
    [moof(&[traf(run, true)]), boxed(b"mdat", &vec![0; data_bytes])].concat()
}

fn clockless(packets: usize) -> Vec<u8> {
    Packet { pid: 0x100, begins: true, ..Packet::default() }.bytes().repeat(packets)
}

/// All that was written of a file is in its segments.
fn all_of(file: &[u8], head: usize) -> Vec<u64> {
    let found = cut(file).unwrap();
    assert_eq!(head as u64 + bytes(&found), file.len() as u64, "nothing is left out");
    times(&found)
}

#[test]
fn sound_that_goes_on_behind_the_pictures_is_cut_by_its_own_time() {
    // A segment in which the pictures end is as long as its sound.
    let file = [recording(&[(4000, true), (1000, false)]), alone(2, 4000, 900).repeat(3)].concat();
    assert_eq!(all_of(&file, usual_head().len()), [4000, 9000, 4000]);
    let file = [recording(&[(4000, true); 3]), alone(2, 4000, 900).repeat(7)].concat();
    assert_eq!(all_of(&file, usual_head().len()), [4000, 4000, 4000, 8000, 8000, 8000, 4000]);
    assert_eq!(times(&cut_growing(&file)), [4000, 4000, 4000, 8000, 8000, 8000]);
    // The pictures come again.
    let again = [file, fragment(4000, true, 700)].concat();
    assert_eq!(all_of(&again, usual_head().len()).len(), 7);
    // A word at the end.
    let word = [recording(&[(4000, true)]), alone(2, 200, 900)].concat();
    assert_eq!(all_of(&word, usual_head().len()), [4000, 200]);
    let word = [recording(&[(4000, true), (2000, true)]), alone(2, 200, 900)].concat();
    assert_eq!(all_of(&word, usual_head().len()), [4000, 2200]);
    // A track in fragments of its own, which are never as long as those of the other.
    let pairs = [usual_head(), [alone(1, 4000, 90), alone(2, 4020, 90)].concat().repeat(3)].concat();
    assert_eq!(all_of(&pairs, usual_head().len()), [4000, 4000, 4020]);
    // No pictures at all, though there is a track of them.
    let sound = [usual_head(), alone(2, 4000, 900).repeat(3)].concat();
    assert_eq!(all_of(&sound, usual_head().len()), [8000, 4000]);
    // One of sound that is broken off counts no more than one of pictures.
    let broken_off = &word[..word.len() - 1];
    assert_eq!(times(&cut(broken_off).unwrap()), [4000, 2000]);
    let too_long = [recording(&[(4000, true)]), alone(2, 10_600, 900)].concat();
    assert_eq!(cut(&too_long), None);
}

#[test]
fn much_without_any_time_is_no_segment_and_a_little_goes_along() {
    // Track 9 is described nowhere.
    let with = |data_bytes| [recording(&[(4000, true)]), alone(9, 1000, data_bytes)].concat();
    assert_eq!(all_of(&with(1_000), usual_head().len()), [4000, 1]);
    assert_eq!(cut(&with(1_100_000)), None);
    assert_eq!(cut(&[usual_head(), alone(9, 1000, 1_000)].concat()), None);
}

#[test]
fn a_transport_stream_without_a_clock_cannot_be_cut() {
    assert_eq!(cut(&clockless(20)), None);
    let once = Packet { pid: 0x100, clock: Some(7), ..Packet::default() }.bytes();
    assert_eq!(cut(&[once, clockless(20)].concat()), None);
    // It is not waited for forever, whether it never came or has ended.
    let much = clockless(usize::try_from(LONGEST_SILENCE_BYTES).unwrap() / 188 + 3);
    for file in [much.clone(), [transport(50, 0, 20), much].concat()] {
        let mut cutter = Cutter::default();
        look(&mut cutter, &file, 1_000_000);
        assert!(cutter.is_done());
        assert_eq!(playlist::written(&kept(&cutter), ""), Err(ApiError::NoPlaylist));
    }
}

#[test]
fn what_stands_behind_the_last_word_of_the_clock_is_little() {
    let file = |packets| [transport(50, 0, 20), clockless(packets)].concat();
    assert_eq!(all_of(&file(1_300), 0), [4000, 900]);
    assert_eq!(cut(&file(1_400)), None);
    // It is as much as the others are.
    let long = |packets| {
        let each = |tenth: u64| [transport(1, tenth * 9_000, 1), Packet::default().bytes().repeat(300)].concat();
        [(0..100).flat_map(each).collect(), clockless(packets)].concat()
    };
    assert!(cut(&long(1_500)).is_some());
    assert_eq!(cut(&long(2_700)), None);
    // A clock that leaps each time says nothing, nor does one that stands.
    let leap = |at: u64| Packet { pid: 0x100, begins: true, is_key: true, clock: Some(at * 90_000 * 60) }.bytes();
    let leaps: Vec<u8> = (1..7_000).flat_map(leap).collect();
    for seconds in [4, 5] {
        assert_eq!(cut(&[transport(seconds * 10 + 1, 0, 20), leaps.clone()].concat()), None);
        assert_eq!(cut(&[transport(seconds * 10 + 1, 0, 20), leap(7).repeat(7_000)].concat()), None);
    }
}

#[test]
fn a_key_frame_is_not_foretold_where_not_all_fragments_begin_with_one() {
    let each_second: Vec<_> = (0..12).map(|at| (1000, at % 2 == 0)).collect();
    let file = recording(&each_second);
    assert_eq!(times(&cut(&file).unwrap()), [4000, 4000, 4000]);
    assert_eq!(times(&cut_growing(&file)), [4000, 4000], "nobody knows what comes");
}

#[test]
fn a_head_behind_a_head_shares_its_bytes() {
    let head = |ms: u32, is_key| {
        let whole = fragment(ms, is_key, 0);
        whole[..whole.len() - 8].to_vec()
    };
    let two =
        |ms, first_key, second_key| [head(ms, first_key), head(ms, second_key), boxed(b"mdat", &[0; 700])].concat();
    let pair = two(2000, true, false);
    let file = [usual_head(), pair.repeat(3)].concat();
    assert_eq!(cut(&file).unwrap(), [(pair.len() as u64, 4000); 3]);
    // Where the second begins with a key frame, it is none to come in at.
    let file = [recording(&[(1000, true), (3000, false)]), two(1000, false, true), fragment(4000, true, 50)].concat();
    assert_eq!(all_of(&file, usual_head().len()), [6000, 4000]);
    assert_eq!(cut(&[usual_head(), two(6000, true, true)].concat()), None, "longer than a segment");
    // One whose bytes never come is not there.
    let file = [recording(&[(4000, true)]), head(4000, true)].concat();
    assert_eq!(times(&cut(&file).unwrap()), [4000]);
}

#[test]
fn places_of_samples_may_be_counted_from_the_track_before() {
    let mut file = recording(&[(4000, true); 2]);
    let headers: Vec<_> = (0..file.len() - 4).filter(|at| &file[*at..at + 4] == b"tfhd").collect();
    for at in headers {
        file[at + 5] &= !0x02;
    }
    assert_eq!(all_of(&file, usual_head().len()), [4000, 4000]);
}

/// A clock each tenth of a second, a key frame each 5 s, and these packets before the first.
fn with_tables(tables: &[u16]) -> Vec<u8> {
    let mut file: Vec<u8> =
        tables.iter().flat_map(|pid| Packet { pid: *pid, begins: true, ..Packet::default() }.bytes()).collect();
    for tenth in 0..120 {
        let clock = Some(tenth * 9_000);
        file.extend(Packet { pid: 0x100, begins: true, is_key: tenth % 50 == 0, clock }.bytes());
    }
    file
}

fn written(file: &[u8]) -> String {
    let mut cutter = Cutter::default();
    look(&mut cutter, file, 10_000);
    cutter.end(file.len() as u64);
    playlist::written(&kept(&cutter), "").unwrap()
}

#[test]
fn a_player_is_shown_the_tables_where_a_segment_does_not_begin_with_them() {
    let text = written(&with_tables(&[0x11, 0, 0x1000, 0x101]));
    let parts: Vec<_> = text.split("#EXT-X-MAP:URI=\"content?as=.ts\",BYTERANGE=\"564@188\"\n#EXTINF:5.000").collect();
    assert_eq!(parts.len(), 2, "{text}");
    assert_eq!(parts[0].matches("#EXTINF").count(), 1, "the first one has them");
    assert_eq!(text.matches("#EXT-X-MAP").count(), 1);
    // None that are all: one packet, or more than tables are.
    for tables in [&[0x11][..], &[0], &[0; 17]] {
        assert!(!written(&with_tables(tables)).contains("#EXT-X-MAP"), "{tables:?}");
    }
    assert!(!written(&transport(200, 0, 20)).contains("#EXT-X-MAP"), "each begins with them");
}

#[test]
fn no_playlist_is_longer_than_can_be_made() {
    let written = |cuts: u64, name_bytes: usize| {
        let known = State { kind: Kind::Ts, cuts, ..State::default() }.written();
        let lines = "9999999999999 10499\n".repeat(usize::try_from(cuts).unwrap());
        playlist::written(&[known.as_str(), "\n", &lines].concat(), &format!("?{}", "n".repeat(name_bytes)))
    };
    for (cuts, name_bytes) in [(20_000, 330), (2_450, 3_330)] {
        let text = written(cuts, name_bytes).unwrap();
        assert!(text.len() <= 8 * 1024 * 1024 && text.len() > 7_500_000, "{}", text.len());
    }
    assert_eq!(written(20_000, 400), Err(ApiError::NoPlaylist));
    assert_eq!(written(2_600, 3_330), Err(ApiError::NoPlaylist));
}

#[test]
fn all_that_is_known_is_written_and_read_again() {
    let file = [recording(&[(1000, false), (1000, true)]), alone(2, 400, 9), alone(1, 400, 50)].concat();
    let mut cutter = Cutter::default();
    look(&mut cutter, &file[..file.len() - 20], 100);
    let known = cutter.known();
    assert_eq!(State::read(&known).written(), known);
    assert_eq!(cuts(cutter.cuts()), []);
}
