//! Sizes and times for people.

use std::time::Duration;

const UNITS: [&str; 6] = ["B", "KiB", "MiB", "GiB", "TiB", "PiB"];

/// `1.5 MiB`.
pub(crate) fn size(bytes: u64) -> String {
    let mut whole = bytes;
    let mut rest = 0;
    let mut unit = 0;
    while whole >= 1024 && unit + 1 < UNITS.len() {
        rest = whole % 1024;
        whole /= 1024;
        unit += 1;
    }
    if unit == 0 { format!("{whole} B") } else { format!("{whole}.{} {}", rest * 10 / 1024, UNITS[unit]) }
}

/// Without what would command a terminal: names of files and words of servers are somebody else's.
pub(crate) fn plain(text: &str) -> String {
    text.chars().map(|c| if c.is_control() && c != '\n' { char::REPLACEMENT_CHARACTER } else { c }).collect()
}

/// `1 file`, `2 files`.
pub(crate) fn files(count: usize) -> String {
    if count == 1 { "1 file".to_owned() } else { format!("{count} files") }
}

/// `1 h 2 min`, `3 min 4 s`, `5.6 s`.
pub(crate) fn duration(time: Duration) -> String {
    let seconds = time.as_secs();
    match seconds {
        0..60 => format!("{:.1} s", time.as_secs_f64()),
        60..3600 => format!("{} min {} s", seconds / 60, seconds % 60),
        _ => format!("{} h {} min", seconds / 3600, seconds % 3600 / 60),
    }
}

/// `12.3 MiB/s`.
pub(super) fn rate(bytes: u64, ms: u64) -> String {
    format!("{}/s", size(bytes.saturating_mul(1000) / ms.max(1)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_commands_the_terminal() {
        assert_eq!(plain("a\x1b[2Jb\u{9b}1m\r\nc"), "a\u{fffd}[2Jb\u{fffd}1m\u{fffd}\nc");
    }

    #[test]
    fn sizes_and_times_are_short() {
        assert_eq!(
            [0, 1023, 1024, 1536 * 1024, u64::MAX].map(size),
            ["0 B", "1023 B", "1.0 KiB", "1.5 MiB", "16383.9 PiB"].map(str::to_owned)
        );
        assert_eq!(duration(Duration::from_millis(5_600)), "5.6 s");
        assert_eq!(duration(Duration::from_secs(184)), "3 min 4 s");
        assert_eq!(duration(Duration::from_mins(62)), "1 h 2 min");
        assert_eq!(rate(10 * 1024 * 1024, 2_000), "5.0 MiB/s");
    }
}
