//! Files are cut where they should be, whatever pieces they come in, and whatever they are.

mod pieces;
mod times;

use super::{
    MOST_CUTS,
    boxes::MOST_BOX_BYTES,
    cutter::Cutter,
    playlist,
    samples::{Packet, Run, Track, boxed, boxed_large, fragment, head, moof, traf, transport, usual_head},
    state::{Kind, State},
};
use upload_types::api_error::ApiError;

/// How many bytes a segment has, and how many milliseconds.
type Cut = (u64, u64);

fn cuts(text: &str) -> Vec<Cut> {
    text.lines()
        .map(|line| line.split_once(' ').unwrap())
        .map(|(bytes, ms)| (bytes.parse().unwrap(), ms.parse().unwrap()))
        .collect()
}

/// What would be kept of what it has found.
fn kept(cutter: &Cutter) -> String {
    [cutter.known(), cutter.cuts().to_owned()].join("\n")
}

/// The whole file at once, and its end.
fn cut(file: &[u8]) -> Option<Vec<Cut>> {
    let mut cutter = Cutter::default();
    look(&mut cutter, file, file.len());
    cutter.end(file.len() as u64);
    playlist::written(&kept(&cutter), "").is_ok().then(|| cuts(cutter.cuts()))
}

/// What is there of a file that grows.
fn cut_growing(file: &[u8]) -> Vec<Cut> {
    let mut cutter = Cutter::default();
    look(&mut cutter, file, file.len());
    cutter.reached(file.len() as u64);
    cuts(cutter.cuts())
}

/// Looks at a file in reads of so many bytes, from where it wants some.
fn look(cutter: &mut Cutter, file: &[u8], read_bytes: usize) {
    while !cutter.is_done()
        && let Some(rest) =
            usize::try_from(cutter.wants()).ok().and_then(|at| file.get(at..)).filter(|rest| !rest.is_empty())
    {
        let wants = cutter.wants();
        cutter.feed(&rest[..read_bytes.min(rest.len())]);
        assert!(cutter.is_done() || cutter.wants() > wants, "it goes on");
    }
}

fn times(cut: &[Cut]) -> Vec<u64> {
    cut.iter().map(|(_, ms)| *ms).collect()
}

fn bytes(cut: &[Cut]) -> u64 {
    cut.iter().map(|(bytes, _)| bytes).sum()
}

fn recording(fragments: &[(u32, bool)]) -> Vec<u8> {
    let fragments = fragments.iter().flat_map(|(ms, is_key)| fragment(*ms, *is_key, 5_000));
    usual_head().into_iter().chain(fragments).collect()
}

#[test]
fn short_fragments_are_put_together() {
    let file = recording(&[(1000, true); 8]);
    let found = cut(&file).unwrap();
    assert_eq!(times(&found), [3000, 3000, 2000]);
    assert_eq!(usual_head().len() as u64 + bytes(&found), file.len() as u64);
    // The last two are not enough while more may come.
    assert_eq!(cut_growing(&file), found[..2]);
}

#[test]
fn a_segment_begins_with_a_key_frame_where_there_is_one() {
    let key_each_five: Vec<_> = (0..12).map(|at| (1000, at % 5 == 0)).collect();
    assert_eq!(times(&cut(&recording(&key_each_five)).unwrap()), [5000, 5000, 2000]);
    let never: Vec<_> = (0..12).map(|at| (1000, at == 0)).collect();
    assert_eq!(times(&cut(&recording(&never)).unwrap()), [10_000, 2000]);
}

#[test]
fn no_segment_is_longer_than_said() {
    assert_eq!(times(&cut(&recording(&[(2800, true), (9600, true), (400, true)])).unwrap()), [2800, 9600, 400]);
    assert_eq!(times(&cut(&recording(&[(10_400, true), (10_400, true)])).unwrap()), [10_400, 10_400]);
    assert_eq!(cut(&recording(&[(1000, true), (10_600, true)])), None);
}

#[test]
fn what_stands_between_fragments_goes_with_the_next() {
    let (head, first, second) = (usual_head(), fragment(4000, true, 100), fragment(4000, true, 200));
    let between = [boxed(b"styp", b"msdh"), boxed(b"sidx", &[0; 32]), boxed_large(b"free", &vec![1; 70_000])].concat();
    let file = [&head[..], &between, &first, &between, &second, &boxed(b"mfra", &[0; 40])].concat();
    let with = |fragment: &[u8]| (between.len() + fragment.len()) as u64;
    assert_eq!(cut(&file).unwrap(), [(with(&first), 4000), (with(&second), 4000)]);
}

#[test]
fn time_is_told_by_the_pictures_or_else_by_the_first_track() {
    let sound = Run { track: 7, samples: 100, sample_ms: 40, is_key: true };
    let other = Run { track: 8, samples: 1, sample_ms: 60_000, is_key: true };
    let one = [moof(&[traf(other, true), traf(sound, true)]), boxed(b"mdat", &[0; 9])].concat();
    let file = [head(&[Track(7, b"soun", 500), Track(8, b"meta", 1)]), one.clone(), one].concat();
    assert_eq!(times(&cut(&file).unwrap()), [8000, 8000]);
}

#[test]
fn a_track_in_a_fragment_of_its_own_stays_with_the_other() {
    let of = |track, is_key| {
        let run = Run { track, samples: 1, sample_ms: 4000, is_key };
        [moof(&[traf(run, false)]), boxed(b"mdat", &[0; 50])].concat()
    };
    let pair = [of(1, true), of(2, true)].concat();
    let file = [usual_head(), pair.repeat(3)].concat();
    assert_eq!(cut(&file).unwrap(), [(pair.len() as u64, 4000); 3]);
}

#[test]
fn a_fragment_that_is_cut_off_is_left_out() {
    let file = recording(&[(4000, true); 3]);
    let whole = cut(&file).unwrap();
    for missing in [1, 4_999, 5_007] {
        let cut_off = &file[..file.len() - missing];
        assert_eq!(cut(cut_off).unwrap(), whole[..2], "{missing}");
        assert_eq!(cut_growing(cut_off), whole[..2], "{missing}");
    }
    assert_eq!(cut_growing(&file), whole, "each ends as a segment would");
}

#[test]
fn data_may_go_on_to_the_end() {
    let mut last = fragment(4000, true, 100);
    let at = last.len() - 108;
    last[at..at + 4].fill(0);
    let file = [recording(&[(4000, true)]), last.clone()].concat();
    assert_eq!(cut(&file).unwrap()[1], (last.len() as u64, 4000));
    assert_eq!(cut_growing(&file).len(), 1);
}

#[test]
fn what_cannot_be_cut_is_said_to_be_so() {
    let (ftyp, moov) = (boxed(b"ftyp", b"isom"), boxed(b"moov", &boxed(b"mvhd", &[0; 100])));
    let mdat = boxed(b"mdat", &[0; 500]);
    let huge = [&u32::try_from(MOST_BOX_BYTES + 1).unwrap().to_be_bytes()[..], b"moof"].concat();
    let absolute = |mut file: Vec<u8>| {
        let tfhd = file.windows(4).position(|name| name == b"tfhd").unwrap();
        file[tfhd + 7] |= 1;
        file
    };
    for (name, file) in [
        ("nothing", vec![]),
        ("a few bytes", vec![0x47; 3]),
        ("WebM", [&[0x1a, 0x45, 0xdf, 0xa3][..], &[0; 600]].concat()),
        ("no fragments", [&ftyp[..], &moov, &mdat].concat()),
        ("no fragments, and the head behind", [&ftyp[..], &mdat, &moov].concat()),
        ("fragments without a head", [ftyp.clone(), fragment(4000, true, 9)].concat()),
        ("a head without fragments", usual_head()),
        ("a second head", [recording(&[(4000, true)]), recording(&[(4000, true)])].concat()),
        ("a size that is no size", [recording(&[(4000, true)]), vec![0, 0, 0, 7, b'm', b'o', b'o', b'f', 0]].concat()),
        ("a name that is no name", [recording(&[(4000, true)]), vec![0, 0, 0, 9, 1, 2, 3, 4, 0]].concat()),
        ("a huge fragment", [recording(&[(4000, true)]), huge].concat()),
        ("a fragment without end", [recording(&[(4000, true)]), b"\0\0\0\0moof".to_vec()].concat()),
        ("addresses from the front of the file", absolute(recording(&[(4000, true)]))),
        ("bytes of no fragment", [recording(&[(4000, true)]), mdat.clone(), fragment(4000, true, 9)].concat()),
        ("0x47 by chance", [0x47, 1, 1].repeat(200)),
    ] {
        assert_eq!(cut(&file), None, "{name}");
    }
}

#[test]
fn a_transport_stream_is_cut_at_its_tables_before_a_key_frame() {
    let file = transport(100, 50, 20);
    let found = cut(&file).unwrap();
    assert_eq!(times(&found), [4000, 4000, 1900]);
    assert_eq!(bytes(&found), file.len() as u64);
    let second = usize::try_from(found[0].0).unwrap();
    assert_eq!(file[second..second + 3], [0x47, 0x40, 0], "the tables come first");
    assert_eq!(cut_growing(&file), found[..2]);
}

#[test]
fn without_key_frames_it_is_cut_all_the_same() {
    assert_eq!(times(&cut(&transport(250, 0, 1_000)).unwrap()), [10_200, 10_200, 4500]);
    // With those of ffmpeg it is cut at each.
    assert_eq!(times(&cut(&transport(250, 0, 100)).unwrap()), [10_000, 10_000, 4900]);
}

#[test]
fn a_clock_begins_anew_and_a_clock_that_leaps_is_another_one() {
    let wraps = transport(100, (1 << 33) - 9_000 * 50, 20);
    assert_eq!(times(&cut(&wraps).unwrap()), [4000, 4000, 1900]);
    for clock in [0, 90_000 * 1_000] {
        let leaps = [transport(50, 90_000 * 500, 20), transport(50, clock, 20)].concat();
        assert_eq!(times(&cut(&leaps).unwrap()), [4000, 4900, 900], "{clock}");
    }
}

#[test]
fn a_pause_of_some_seconds_makes_no_segment_too_long() {
    let at = |seconds: u64, is_key| Packet { pid: 9, begins: true, is_key, clock: Some(seconds * 90_000) }.bytes();
    let file = [at(0, true), at(2, false), at(11, false), at(13, true)].concat();
    assert_eq!(cut(&file).unwrap(), [(376, 2000), (188, 9000), (188, 2000)]);
}

#[test]
fn what_is_no_packet_is_passed_over() {
    let (first, second) = (transport(50, 0, 20), transport(50, 50 * 9_000, 20));
    let file = [&first[..], &[0x47; 70], &[0; 501], &second].concat();
    let found = cut(&file).unwrap();
    assert_eq!(bytes(&found), file.len() as u64);
    assert_eq!(times(&found), [4000, 3000, 2900]);
}

#[test]
fn what_is_worth_keeping_says_behind_what_it_belongs() {
    let file = recording(&[(4000, true), (4000, true)]);
    let mut first = Cutter::default();
    first.feed(&file[..600]);
    first.reached(600);
    assert_eq!(first.found(600), None, "there is no cut yet");
    let there = first.wants() + 1;
    assert!(first.found(there).is_some(), "it has not come to the end, and the next one goes on");
    look(&mut first, &file, file.len());
    let now = &first.found(file.len() as u64).unwrap();
    assert_eq!(*now, kept(&first));
    let mut second = Cutter::knowing(now);
    assert_eq!(second.found(file.len() as u64), None, "nothing is new");
    second.end(file.len() as u64);
    let found = second.found(file.len() as u64).unwrap();
    assert!(!found.starts_with(now.lines().next().unwrap()), "{found}");
    assert_eq!(cuts(second.cuts()).len(), 1);
    // What has no cut is kept all the same once it is much.
    let mut third = Cutter::knowing(now);
    third.feed(&boxed(b"moof", &[]));
    third.feed(&[&5_000_000_u32.to_be_bytes()[..], b"mdat"].concat());
    assert!(third.found(0).is_some());
}

#[test]
fn a_playlist_has_no_more_than_so_many_segments() {
    let known = State { kind: Kind::Ts, cuts: MOST_CUTS - 1, ..State::default() }.written();
    let mut cutter = Cutter::knowing(&format!("{known}\n"));
    let file = transport(400, 0, 100);
    look(&mut cutter, &file, file.len());
    assert_eq!(cuts(cutter.cuts()).len(), 1);
    assert!(cutter.is_done());
    assert_eq!(playlist::written(&kept(&cutter), ""), Err(ApiError::NoPlaylist));
}

#[test]
fn later_segments_are_longer() {
    let known = State { kind: Kind::Ts, cuts: super::FIRST_CUTS, ..State::default() }.written();
    let mut cutter = Cutter::knowing(&format!("{known}\n"));
    let file = transport(201, 0, 20);
    look(&mut cutter, &file, file.len());
    assert_eq!(times(&cuts(cutter.cuts())), [8000, 8000]);
}

#[test]
fn a_playlist_says_where_the_cuts_are() {
    let file = recording(&[(4000, true), (3500, true), (1, true)]);
    let mut cutter = Cutter::default();
    look(&mut cutter, &file, file.len());
    cutter.reached(file.len() as u64);
    let head = usual_head().len();
    let first = fragment(4000, true, 5_000).len();
    let second = fragment(3500, true, 5_000).len();
    let growing = format!(
        "#EXTM3U\n#EXT-X-VERSION:7\n#EXT-X-TARGETDURATION:10\n#EXT-X-MEDIA-SEQUENCE:0\n#EXT-X-PLAYLIST-TYPE:EVENT\n\
         #EXT-X-MAP:URI=\"content?a=b&as=.mp4\",BYTERANGE=\"{head}@0\"\n\
         #EXTINF:4.000,\n#EXT-X-BYTERANGE:{first}@{head}\ncontent?a=b&as=.mp4\n\
         #EXTINF:3.500,\n#EXT-X-BYTERANGE:{second}@{}\ncontent?a=b&as=.mp4\n",
        head + first
    );
    assert_eq!(playlist::written(&kept(&cutter), "?a=b"), Ok(growing.clone()));
    cutter.end(file.len() as u64);
    let ended = playlist::written(&kept(&cutter), "?a=b").unwrap();
    assert!(ended.starts_with(&growing) && ended.ends_with("\n#EXT-X-ENDLIST\n"), "{ended}");
    let nothing =
        "#EXTM3U\n#EXT-X-VERSION:7\n#EXT-X-TARGETDURATION:10\n#EXT-X-MEDIA-SEQUENCE:0\n#EXT-X-PLAYLIST-TYPE:EVENT\n";
    assert_eq!(playlist::written("", ""), Ok(nothing.to_owned()));
    let transport =
        playlist::written(&(State { kind: Kind::Ts, ..State::default() }.written() + "\n7 61\n"), "").unwrap();
    assert_eq!(transport, format!("{nothing}#EXTINF:0.061,\n#EXT-X-BYTERANGE:7@0\ncontent?as=.ts\n"));
}

#[test]
fn what_was_known_by_another_build_is_not_known() {
    for text in ["", "x", "1 2", "9 0 0 0 0 0 0 0 0 0 0 0 0 0 0 0 0 0 0", "1 0 99999999999999999999999"] {
        assert_eq!(State::read(text), State::default(), "{text}");
    }
}
