//! Files to be cut: MP4 and MPEG-TS with no more in them than is read.

/// A box.
pub(super) fn boxed(name: &[u8], body: &[u8]) -> Vec<u8> {
    let size = u32::try_from(body.len() + 8).unwrap();
    [&size.to_be_bytes(), name, body].concat()
}

/// The same with a size of 64 bits.
pub(super) fn boxed_large(name: &[u8], body: &[u8]) -> Vec<u8> {
    let size = body.len() as u64 + 16;
    [&1_u32.to_be_bytes(), name, &size.to_be_bytes(), body].concat()
}

fn words(words: &[u32]) -> Vec<u8> {
    words.iter().flat_map(|word| word.to_be_bytes()).collect()
}

/// A track: its number, what is in it, and how many parts a second has.
pub(super) struct Track(pub(super) u32, pub(super) &'static [u8; 4], pub(super) u32);

fn trak(Track(id, handler, timescale): &Track) -> Vec<u8> {
    // One with dates of 8 bytes, one with dates of 4.
    let tkhd = boxed(b"tkhd", &words(&[0x0100_0003, 0, 0, 0, 0, *id, 0, 0]));
    let mdhd = boxed(b"mdhd", &words(&[0, 0, 0, *timescale, 0, 0]));
    let hdlr = boxed(b"hdlr", &[&words(&[0, 0]), &handler[..], &words(&[0, 0, 0])].concat());
    boxed(b"trak", &[tkhd, boxed(b"mdia", &[mdhd, hdlr].concat())].concat())
}

/// `ftyp` and `moov` of these tracks.
pub(super) fn head(tracks: &[Track]) -> Vec<u8> {
    let trex = |track: &Track| boxed(b"trex", &words(&[0, track.0, 1, 0, 0, 0x0101_0000]));
    let mvex = boxed(b"mvex", &tracks.iter().flat_map(trex).collect::<Vec<_>>());
    let described: Vec<u8> = tracks.iter().flat_map(trak).collect();
    let moov = boxed(b"moov", &[boxed(b"mvhd", &[0; 100]), described, mvex].concat());
    [boxed(b"ftyp", b"iso5\0\0\0\0"), moov].concat()
}

/// Pictures in track 1 and sound in track 2, a thousand parts a second each.
pub(super) fn usual_head() -> Vec<u8> {
    head(&[Track(2, b"soun", 1000), Track(1, b"vide", 1000)])
}

/// What a fragment has of a track.
#[derive(Clone, Copy)]
pub(super) struct Run {
    pub(super) track: u32,
    pub(super) samples: u32,
    pub(super) sample_ms: u32,
    pub(super) is_key: bool,
}

/// A `traf` whose samples each say how long they are, or all at once.
pub(super) fn traf(run: Run, each_says: bool) -> Vec<u8> {
    let Run { track, samples, sample_ms, is_key } = run;
    let first_flags = if is_key { 0x0200_0000 } else { 0x0101_0000 };
    let (tfhd, trun) = if each_says {
        let all = (0..samples).flat_map(|at| [sample_ms, 7, if at == 0 { first_flags } else { 0x0101_0000 }]);
        let trun = [vec![0x701, samples, 8], all.collect()].concat();
        (words(&[0x0002_0000, track]), words(&trun))
    } else {
        (words(&[0x0002_0008, track, sample_ms]), words(&[0x005, samples, 8, first_flags]))
    };
    boxed(b"traf", &[boxed(b"tfhd", &tfhd), boxed(b"tfdt", &words(&[0, 0])), boxed(b"trun", &trun)].concat())
}

/// `moof` of these.
pub(super) fn moof(trafs: &[Vec<u8>]) -> Vec<u8> {
    boxed(b"moof", &[boxed(b"mfhd", &words(&[0, 1])), trafs.concat()].concat())
}

/// A fragment of pictures and sound.
pub(super) fn fragment(ms: u32, is_key: bool, data_bytes: usize) -> Vec<u8> {
    let pictures = Run { track: 1, samples: 4, sample_ms: ms / 4, is_key };
    let sound = Run { track: 2, samples: ms / 20, sample_ms: 20, is_key: true };
    let moof = moof(&[traf(sound, false), traf(pictures, ms.is_multiple_of(3))]);
    [moof, boxed(b"mdat", &vec![0xab; data_bytes])].concat()
}

/// A packet.
#[derive(Clone, Copy, Default)]
pub(super) struct Packet {
    pub(super) pid: u16,
    pub(super) begins: bool,
    pub(super) is_key: bool,
    pub(super) clock: Option<u64>,
}

impl Packet {
    pub(super) fn bytes(self) -> Vec<u8> {
        let Self { pid, begins, is_key, clock } = self;
        let begins = if begins { 0x40 } else { 0 };
        let [high, low] = pid.to_be_bytes();
        let mut packet = vec![0x47, high | begins, low, 0x10];
        if is_key || clock.is_some() {
            packet[3] = 0x30;
            packet.extend([7, if is_key { 0x40 } else { 0 } | if clock.is_some() { 0x10 } else { 0 }]);
            let clock = clock.unwrap_or_default() << 7;
            packet.extend(&clock.to_be_bytes()[3..]);
            packet.push(0);
        }
        packet.resize(188, 0xff);
        packet
    }
}

/// A recording of so many tenths of a second, from this clock on, with a key frame and tables each so many tenths.
pub(super) fn transport(tenths: u64, clock: u64, key_each: u64) -> Vec<u8> {
    let mut bytes = Vec::new();
    for tenth in 0..tenths {
        let is_key = tenth % key_each == 0;
        if is_key {
            bytes.extend(Packet { pid: 0, begins: true, ..Packet::default() }.bytes());
            bytes.extend(Packet { pid: 0x1000, begins: true, ..Packet::default() }.bytes());
        }
        let clock = Some((clock + tenth * 9_000) % (1 << 33));
        bytes.extend(Packet { pid: 0x100, begins: true, is_key, clock }.bytes());
        bytes.extend(Packet { pid: 0x100, ..Packet::default() }.bytes());
        bytes.extend(Packet { pid: 0x101, begins: true, is_key: true, clock: None }.bytes());
    }
    bytes
}
