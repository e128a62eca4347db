//! The register: which owners there are, which uploads are held, which have an event that the origin never took, and how the switch is set. On
//! whatever database.
//!
//! Promises: what is told twice is there once; what was told is there until something newer is known of it; the switch has one order, by its
//! version. What an upload or an owner has, they themselves know, and nobody believes the register instead: it says whom to ask.
//!
//! It is one object for the whole deployment, and takes about a thousand requests a second as any object does: each Worker asks once in
//! 5 s at most while it has requests, each owner tells once in its life, each delivery that is given up once, and each upload that is to be held
//! twice, from its alarm: that it is held, and that it is no more. So 400 files a second can be held, which is 34 million a day.

pub(crate) mod tables;

use upload_session::quota::PAGE_ENTRIES;
use upload_types::{admin::Noted, switch::Switch, units::UnixMs};
use worker::Response;

use crate::{
    ledger::database::Database,
    platform::error::Result,
    rpc::{
        answer,
        register::{Held, ListFailedDeliveries, ListOwners, NoteOwner, RegisterCommand, SetSwitch},
    },
};

/// A page, and one more: by that it is known whether there is another page.
const MOST: usize = PAGE_ENTRIES + 1;

/// Carries out a command.
pub(crate) fn carry_out(database: &impl Database, command: RegisterCommand, now: UnixMs) -> Result<Response> {
    match command {
        RegisterCommand::NoteOwner(NoteOwner(name)) => answer(tables::note_owner(database, &name)?),
        RegisterCommand::ListOwners(ListOwners(after)) => answer(tables::owners(database, after.as_deref(), MOST)?),
        RegisterCommand::NoteFailedDelivery(failed) => answer(tables::note(database, &tables::FAILED, &failed.0)?),
        RegisterCommand::ListFailedDeliveries(ListFailedDeliveries(after)) => {
            answer(tables::failed(database, after, MOST)?)
        }
        RegisterCommand::DropFailedDeliveries(gone) => {
            tables::drop_noted(database, &tables::FAILED, &gone.0)?;
            answer(tables::count_failed(database)?)
        }
        RegisterCommand::Held(held) => answer(about_held(database, &held)?),
        RegisterCommand::ReadSwitch(_) => answer(tables::switch(database)?),
        RegisterCommand::SetSwitch(wanted) => answer(set(database, wanted, now)?),
    }
}

fn about_held(database: &impl Database, held: &Held) -> Result<Vec<Noted>> {
    match held {
        Held::Note(held) => tables::note(database, &tables::HELD, held)?,
        Held::Drop(gone) => tables::drop_noted(database, &tables::HELD, gone)?,
        Held::List(after) => return tables::held(database, *after, MOST),
    }
    Ok(Vec::new())
}

/// Between reading the version and writing the next there is no `await`: two that come at once have two versions.
fn set(database: &impl Database, SetSwitch(wanted): SetSwitch, now: UnixMs) -> Result<Switch> {
    let version = tables::switch(database)?.version.saturating_add(1);
    let switch = Switch { version, changed_at: now, ..wanted };
    // Crash here: as if nobody had asked. Crash behind it: it is set, and whoever asks is told so.
    tables::set_switch(database, &switch)?;
    Ok(switch)
}

#[cfg(test)]
mod tests {
    use upload_types::{admin::Noted, switch::SwitchMode, units::UploadId};

    use super::*;
    use crate::{ledger::book::tests::sql::Host, rpc::register::REGISTER};

    const NOW: UnixMs = UnixMs(1_800_000_000_000);

    fn failure(number: u8, failed_at: u64) -> Noted {
        let upload_id = UploadId::from_random_bytes([number; 16]);
        Noted { upload_id, owner: "alice".to_owned(), at: UnixMs(failed_at) }
    }

    fn known(host: &Host) -> Vec<Noted> {
        tables::failed(&host, None, MOST).unwrap()
    }

    #[test]
    fn no_owner_is_called_like_the_register() {
        assert!(REGISTER.chars().any(char::is_control));
    }

    #[test]
    fn an_owner_is_there_once_and_pages_leave_none_out() {
        let host = &Host::new();
        let owners = |after: Option<&str>| tables::owners(&host, after, 101).unwrap();
        assert!(owners(None).is_empty());
        let mut names: Vec<_> = (0..150).map(|number| format!("owner {number}")).collect();
        names.push("ä/'; DROP TABLE owner; --".to_owned());
        for name in names.iter().chain(&names) {
            tables::note_owner(&host, name).unwrap();
        }
        assert_eq!(host.written_and_steps().0, 151, "what is there costs no row");
        names.sort_unstable();
        let (first, second) = (owners(None), owners(Some(&names[99])));
        assert_eq!((first.len(), second.len()), (101, 51));
        assert_eq!([&first[..100], &second].concat(), names);
        assert_eq!(owners(Some("zzz")), names[150..]);
    }

    #[test]
    fn what_was_given_up_is_there_until_it_is_not_so_and_nothing_newer_is_known() {
        let host = &Host::new();
        assert_eq!((known(host), tables::count_failed(&host).unwrap()), (vec![], 0));
        tables::drop_noted(&host, &tables::FAILED, &[failure(1, 5)]).unwrap();
        for one in [failure(2, 5), failure(1, 5), failure(2, 5), failure(1, 9)] {
            tables::note(&host, &tables::FAILED, &one).unwrap();
        }
        assert_eq!(known(host), [failure(1, 9), failure(2, 5)]);
        // Whoever has looked before it was given up once more must not take that away.
        tables::drop_noted(&host, &tables::FAILED, &[failure(1, 5), failure(2, 5)]).unwrap();
        assert_eq!((known(host), tables::count_failed(&host).unwrap()), (vec![failure(1, 9)], 1));
    }

    #[test]
    fn pages_of_what_was_given_up_leave_none_out() {
        let host = &Host::new();
        let all: Vec<_> = (0..=200).map(|number| failure(number, 7)).collect();
        for one in &all {
            tables::note(&host, &tables::FAILED, one).unwrap();
        }
        let (mut found, mut after) = (Vec::new(), None);
        while found.len() < all.len() {
            let page = tables::failed(&host, after, 100).unwrap();
            after = page.last().map(|last| last.upload_id);
            assert!(after.is_some(), "there are more");
            found.extend(page);
        }
        found.sort_unstable_by_key(|one| one.upload_id);
        let mut expected = all;
        expected.sort_unstable_by_key(|one| one.upload_id);
        assert_eq!(found, expected);
    }

    #[test]
    fn what_is_held_is_there_once_and_oldest_first_until_it_is_not() {
        let host = &Host::new();
        let held = |number: u8, created_at: u64| {
            let upload_id = UploadId::from_random_bytes([number; 16]);
            Noted { upload_id, owner: format!("owner {number}"), at: UnixMs(created_at) }
        };
        let listed = |after: Option<&Noted>, most| tables::held(&host, after.map(Noted::name), most).unwrap();
        assert!(listed(None, MOST).is_empty());
        tables::drop_noted(&host, &tables::HELD, &[held(1, 1)]).unwrap();
        // The second is older than the first; the third came at the same time as it, with another id.
        let (first, second, third) = (held(1, 9), held(2, 1_000_000_000_000), held(3, 9));
        for one in [&second, &third, &first, &first] {
            tables::note(&host, &tables::HELD, one).unwrap();
        }
        assert_eq!(listed(None, MOST), [first.clone(), third.clone(), second.clone()]);
        assert_eq!(listed(None, 1), std::slice::from_ref(&first));
        assert_eq!(listed(Some(&first), MOST), [third.clone(), second.clone()]);
        assert_eq!(listed(Some(&held(2, 9)), MOST), [third.clone(), second.clone()], "also where that one is gone");
        tables::drop_noted(&host, &tables::HELD, &[third.clone(), second, third]).unwrap();
        assert_eq!(listed(None, MOST), [first]);
    }

    #[test]
    fn the_switch_is_as_it_was_set_last_and_counts() {
        let host = &Host::new();
        assert_eq!(tables::switch(&host).unwrap(), Switch::default());
        let wanted = |mode, by: &str| SetSwitch(Switch { mode, changed_by: by.to_owned(), ..Switch::default() });
        let closed = set(&host, wanted(SwitchMode::Closed, "ops"), NOW).unwrap();
        assert_eq!((closed.version, closed.changed_at, closed.mode), (1, NOW, SwitchMode::Closed));
        let open = set(&host, wanted(SwitchMode::Open, "other"), NOW).unwrap();
        assert_eq!((open.version, tables::switch(&host).unwrap()), (2, open.clone()));
        assert_eq!(open.changed_by, "other");
    }
}
