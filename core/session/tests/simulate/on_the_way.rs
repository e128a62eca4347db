//! What a live upload's receivers are told on the way: every range follows the one before without a gap, a repetition tells the same, what is
//! told can be read, and nothing of it comes behind the ending.

use std::collections::BTreeMap;

use upload_session::{
    event::{Delivery, EventKind, NewBytes},
    receivers::ReceiverIndex,
};

use crate::{sights::Sight, world::World};

/// The last range that each receiver was told; none where it has been told the ending.
#[derive(Default)]
pub(crate) struct OnTheWay(BTreeMap<ReceiverIndex, Option<NewBytes>>);

impl World {
    /// An attempt at telling this begins.
    pub(crate) fn told_on_the_way(&mut self, delivery: &Delivery) {
        let told = &mut self.on_the_way.0;
        let before = told.get(&delivery.receiver).copied();
        let Some(new) = delivery.new_bytes else {
            if delivery.kind != EventKind::Created {
                told.insert(delivery.receiver, None);
            }
            return;
        };
        told.insert(delivery.receiver, Some(new));
        let session = self.object.session.as_ref().expect("an upload of which is told");
        let counts = session.uploaded_bytes() >= new.to && session.growing(new.from).is_ok();
        let follows = match before {
            None => new.from.is_zero(),
            Some(Some(before)) => before == new || before.to == new.from,
            Some(None) => false,
        };
        let is_again = before == Some(Some(new));
        self.sights.insert(if is_again { Sight::OnTheWayAgain } else { Sight::OnTheWay });
        if !counts || new.to <= new.from || delivery.link_until.is_none() {
            self.wrong("what is told on the way is not there");
        }
        if !follows {
            self.wrong(&format!("{new:?} was told behind {before:?}"));
        }
    }
}
