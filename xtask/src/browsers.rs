//! The browsers of the tests, and their virus scanner: for each engine the program that a variable names, or one that is installed, or on Debian, as root, one
//! from its packages. Tests of an engine that is not there are skipped, and counted as skipped.

use std::path::{Path, PathBuf};

use anyhow::Result;

use crate::children;
use crate::output::{self, Step};
use crate::project::Project;

/// What the tests are run in.
pub(crate) struct Engine {
    /// As tests and people call it.
    pub(crate) name: &'static str,
    /// The variable that names its program, here and for the tests.
    pub(crate) variable: &'static str,
    /// What the program may be called.
    programs: &'static [&'static str],
    on_macos: &'static [&'static str],
    /// Debian's packages.
    packages: &'static [&'static str],
}

pub(crate) const ENGINES: [Engine; 3] = [
    Engine {
        name: "Chromium",
        variable: "CHROMIUM",
        programs: &["chromium", "chromium-browser", "google-chrome-stable", "google-chrome"],
        on_macos: &[
            "/Applications/Google Chrome.app/Contents/MacOS/Google Chrome",
            "/Applications/Chromium.app/Contents/MacOS/Chromium",
        ],
        packages: &["chromium"],
    },
    Engine {
        name: "Firefox",
        variable: "FIREFOX",
        programs: &["firefox-esr", "firefox"],
        on_macos: &["/Applications/Firefox.app/Contents/MacOS/firefox"],
        packages: &["firefox-esr"],
    },
    Engine {
        name: "WebKit",
        variable: "WEBKIT_DRIVER",
        programs: &["WebKitWebDriver"],
        on_macos: &[],
        // Its driver opens a window, and has no mode without a display.
        packages: &["webkit2gtk-driver", "xvfb"],
    },
];

/// A virus scanner, which looks at files in the tests of what is held. No browser, and found and installed like one.
pub(crate) const CLAMD: Engine =
    Engine { name: "clamd", variable: "CLAMD", programs: &["clamd"], on_macos: &[], packages: &["clamav-daemon"] };

/// Everything that the tests run beside what is built here.
pub(crate) fn all() -> impl Iterator<Item = &'static Engine> {
    ENGINES.iter().chain([&CLAMD])
}

impl Engine {
    /// Where its program is.
    pub(crate) fn find(&self) -> Option<PathBuf> {
        if let Some(named) = std::env::var_os(self.variable).filter(|path| !path.is_empty()) {
            return Some(named.into());
        }
        let folders = std::env::var_os("PATH").unwrap_or_default();
        let on_path = std::env::split_paths(&folders)
            .flat_map(|folder| self.programs.iter().map(move |program| folder.join(program)));
        on_path.chain(self.on_macos.iter().map(PathBuf::from)).find(|path| path.is_file())
    }

    /// Says what to do where there is none.
    pub(crate) fn say_what_is_missing(&self) {
        output::line(format_args!(
            "No {} was found, so its tests are SKIPPED. Install {}, or name a program in {}.",
            self.name,
            self.packages.join(" and "),
            self.variable
        ));
    }
}

/// Sees that there is one of each, where that can be brought about; says whether it had to install anything.
pub(crate) fn ensure_installed(project: &Project) -> Result<bool> {
    let missing: Vec<&Engine> = all().filter(|engine| engine.find().is_none()).collect();
    let can_install = Path::new("/etc/debian_version").exists() && rustix::process::geteuid().is_root();
    if missing.is_empty() || !can_install {
        return Ok(false);
    }
    apt_get(project, &["update", "-q"])?;
    for engine in missing {
        let install = ["install", "-qy", "--no-install-recommends"];
        apt_get(project, &[&install, engine.packages].concat())?;
    }
    Ok(true)
}

/// A package source that does not answer is no failure of this project: the tests are skipped then.
fn apt_get(project: &Project, arguments: &[&str]) -> Result<()> {
    let packages: Vec<&str> = arguments.iter().filter(|argument| !argument.starts_with('-')).copied().collect();
    let step = Step::begin(format!("apt-get {}", packages.join(" ")));
    let mut command = project.bare_command("apt-get");
    command.args(arguments).env("DEBIAN_FRONTEND", "noninteractive");
    let finished = children::run_capturing(&command, |_, line| step.detail(line))?;
    step.end(finished.status.success());
    if !finished.status.success() {
        output::line(finished.both.lines().rev().take(3).collect::<Vec<_>>().join("\n"));
    }
    Ok(())
}
