//! What `--help` shows to be typed. Each line is a command that is understood.

pub(crate) const QUAY: &str = "\
Examples:
  quay login https://upload.example.com          keep an endpoint and a token
  quay put film.mp4                              send a file; the same command goes on after an interruption
  quay put photos --exclude '*.tmp'              send a folder, with relative paths
  pg_dump shop | quay put - --name shop.sql      send what comes from a pipe
  quay get 0b5c… -o film.mp4                     get it back, compared

Exit codes:
  0  everything was done
  1  something was not, and may be the next time: the same command goes on
  2  the command line or the settings are wrong
  3  the server refuses it for good
  130  stopped by Ctrl-C or SIGTERM: the same command goes on";

pub(crate) const PUT: &str = "\
Examples:
  quay put film.mp4 slides.pdf                   files; the same command goes on after an interruption
  quay put photos --include '2026/**'            a folder, or what matches of it
  quay put trip --manifest trip.json             and write down what came of each file
  quay put - --name shop.sql                     standard input, of any length
  quay put --live - --name camera.mkv            standard input as it comes, for hours
  quay put a.iso --limit-rate 2M --retry-for 2h  slowly, and patiently";

pub(crate) const GET: &str = "\
Examples:
  quay get 0b5c… -o film.mp4                     by the upload's id, with a token
  quay get https://upload.example.com/…          by a link, without one
  quay get --manifest trip.json -o back          a folder that was sent with --manifest";

pub(crate) const TOKEN: &str = "\
Examples:
  quay token --sub alice --key-file .dev.vars --max-bytes 2G --type 'image/*'
  quay token --sub ci --algorithm ES256 --kid 2026 --key-file key.pem --expires-in 15m";

pub(crate) const LOGIN: &str = "\
Examples:
  quay login https://upload.example.com          asks for the token, and keeps it where only you may read it
  quay login https://upload.example.com --token-command 'secret-tool lookup service quay'";

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;
    use crate::args::Cli;

    /// The words of a line, without what is said about it and what stands in front of it.
    fn words(line: &str) -> Vec<String> {
        let command = line.trim().split("  ").next().unwrap();
        let command = command.split(" | ").last().unwrap();
        let quoted = command.split('\'').enumerate();
        quoted
            .flat_map(|(number, part)| match number % 2 {
                0 => part.split_whitespace().map(str::to_owned).collect(),
                _ => vec![part.to_owned()],
            })
            .collect()
    }

    #[test]
    fn every_example_is_understood() {
        let lines = [QUAY, PUT, GET, TOKEN, LOGIN].into_iter().flat_map(str::lines);
        let commands: Vec<_> = lines.filter(|line| line.contains("quay ")).map(words).collect();
        assert_eq!(commands.len(), 18);
        for command in commands {
            assert_eq!(command[0], "quay");
            assert!(Cli::try_parse_from(&command).is_ok(), "{command:?}");
        }
    }
}
