//! A live upload's receivers are told on the way: range by range, each until it is acknowledged, and nothing once the ending is told.

use proptest::prelude::*;

use super::*;
use crate::{
    event::{Delivery, DeliveryId, DeliveryOutcome, NewBytes, RetryPolicy, Verdict},
    receivers::{Receiver, ReceiverIndex},
};
use upload_types::{live::Live, media_types::MediaTypes};

const EVERY: u64 = 2 * PART;
const ORIGIN: &str = "origin";
const SEARCH: &str = "search";
const PATIENT: RetryPolicy = RetryPolicy { first_delay_seconds: 1, max_attempts: 3 };

fn live_spec(kinds: &[EventKind]) -> UploadSpec {
    let mut spec = spec(Mode::Sequential, 100 * PART);
    spec.plan.open_ended = true;
    spec.live = Some(Live { tell_every_bytes: EVERY.try_into().unwrap(), ..Live::default() });
    spec.receivers = Receivers::new(vec![Receiver { name: SEARCH.to_owned(), kinds: kinds.to_vec() }]);
    spec
}

fn live() -> Session {
    create(live_spec(&[EventKind::Completed])).unwrap()
}

/// Stores so many whole parts, each counted by itself.
fn parts(s: &mut Session, now: UnixMs, count: u64) {
    let from = s.uploaded_bytes().get();
    let decision = s.begin(now, begin(from, count * PART));
    let lease = take(s, decision).unwrap();
    for part in 0..count {
        let number = lease.first_number + u16::try_from(part).unwrap();
        let decision = s.commit(now, &commit(lease.attempt, vec![receipt(number, PART)]));
        take(s, decision).unwrap();
    }
}

/// As it is read back.
fn asleep(now: UnixMs, s: &Session) -> Session {
    let Content::Sequence(Sequence { last_part, last_segment }) = s.content.clone() else { panic!() };
    let counted = CountedRows::Sequence { last_part, last_segment };
    let state = serde_json::from_value(serde_json::to_value(&s.progress).unwrap()).unwrap();
    let outbox = serde_json::from_value(serde_json::to_value(&s.outbox).unwrap()).unwrap();
    Session::restore(now, s.spec.clone(), state, outbox, counted)
}

fn of(s: &Session, name: &str) -> Vec<Delivery> {
    s.outbox.to(s.spec.receivers.named(name).unwrap()).cloned().collect()
}

/// The ranges that are to be told, in parts.
fn ranges(s: &Session, name: &str) -> Vec<(u64, u64, DeliveryState)> {
    let range = |delivery: Delivery| {
        let NewBytes { from, to } = delivery.new_bytes.expect("nothing else is told");
        (from.get() / PART, to.get() / PART, delivery.state)
    };
    of(s, name).into_iter().map(range).collect()
}

/// An attempt at telling this receiver of what it is to be told next begins.
fn begins(s: &mut Session, now: UnixMs, name: &str) -> Delivery {
    let next = s.outbox.next_to(s.spec.receivers.named(name).unwrap()).unwrap().id();
    let begun = s.begin_delivery(now, name, &next.event_id(s.spec.id), 60_000, 1_000);
    take(s, begun).unwrap().unwrap()
}

fn ends(s: &mut Session, now: UnixMs, name: &str, id: DeliveryId, outcome: &DeliveryOutcome) -> Verdict {
    let ended = s.delivery_ended(now, name, &id.event_id(s.spec.id), outcome);
    take(s, ended).unwrap()
}

fn acknowledges(s: &mut Session, name: &str) {
    let begun = begins(s, NOW, name);
    ends(s, NOW, name, begun.id(), &yes());
}

fn yes() -> DeliveryOutcome {
    DeliveryOutcome::Acknowledged { discard: true, result: Some("7".to_owned()), verdict: None }
}

fn no() -> DeliveryOutcome {
    DeliveryOutcome::Refused { policy: PATIENT, asked_seconds: None, error: None }
}

fn completes(s: &mut Session, now: UnixMs) {
    let decision = s.complete(now);
    take(s, decision).unwrap();
    let change = s.assembled(now, "etag".to_owned(), Crc64Nvme(7));
    s.apply(change);
}

use DeliveryState::{Delivered, Failed, Queued};

#[test]
fn what_is_new_is_told_once_it_is_enough() {
    let mut s = live();
    parts(&mut s, NOW, 1);
    assert!(s.outbox.is_empty());
    parts(&mut s, NOW, 1);
    assert_eq!(ranges(&s, ORIGIN), [(0, 2, Queued)]);
    assert_eq!(s.next_job(), Some((NOW, Job::EnqueueEvent)));
    let begun = begins(&mut s, NOW, ORIGIN);
    assert_eq!(begun.link_until, Some(NOW.plus_ms(1_000)));
    ends(&mut s, NOW, ORIGIN, begun.id(), &yes());
    assert_eq!(ranges(&s, ORIGIN), [(0, 2, Delivered)], "nothing is new since");
    assert!(s.stored_object().is_none() && s.phase() == Phase::Open, "and nobody takes over what is not there");
    parts(&mut s, NOW, 5);
    assert_eq!(ranges(&s, ORIGIN), [(2, 4, Queued)], "fixed when it became due");
    acknowledges(&mut s, ORIGIN);
    assert_eq!(ranges(&s, ORIGIN), [(4, 7, Queued)], "all that has come meanwhile");
    let kept = of(&s, ORIGIN)[0].link_until;
    assert_eq!(kept, Some(NOW.plus_ms(1_000)), "the link that was handed out is good still");
}

#[test]
fn whoever_has_fallen_behind_catches_up_in_ranges_that_can_be_fetched() {
    let mut s = live();
    parts(&mut s, NOW, 2);
    parts(&mut s, NOW, 80);
    for range in [(0, 2), (2, 34), (34, 66), (66, 82)] {
        assert_eq!(ranges(&s, ORIGIN), [(range.0, range.1, Queued)]);
        assert_eq!(s.next_job(), Some((NOW, Job::EnqueueEvent)), "at once");
        acknowledges(&mut s, ORIGIN);
    }
}

#[test]
fn a_repetition_has_the_same_id_and_range_whatever_has_come() {
    let mut s = live();
    parts(&mut s, NOW, 2);
    let first = begins(&mut s, NOW, ORIGIN);
    assert_eq!(first.id().event_id(s.spec.id), "evt_01010101010141018101010101010101_progressed_0");
    // Crash here, between the receiver's having it and the object's knowing.
    let mut s = asleep(NOW, &s);
    parts(&mut s, NOW, 6);
    let again = begins(&mut s, NOW.plus_ms(1), ORIGIN);
    assert_eq!((again.id(), again.new_bytes, again.attempts), (first.id(), first.new_bytes, 2));
    ends(&mut s, NOW, ORIGIN, again.id(), &yes());
    assert_eq!(ranges(&s, ORIGIN), [(2, 8, Queued)]);
    let next = of(&s, ORIGIN)[0].id().event_id(s.spec.id);
    assert_eq!(next, format!("evt_01010101010141018101010101010101_progressed_{}", 2 * PART));
    // The first attempt's answer comes late, and so does the word that its message is in the queue.
    assert_eq!(ends(&mut s, NOW, ORIGIN, first.id(), &no()), Verdict::Settled);
    let change = s.event_sent(NOW, first.id());
    assert!(change.is_none(), "what is due now is not put off by it");
    let late = s.begin_delivery(NOW, ORIGIN, &first.id().event_id(s.spec.id), 1, 1);
    assert_eq!(late.answer, Ok(None));
}

#[test]
fn one_that_is_down_for_long_costs_one_entry_and_misses_nothing() {
    let mut s = live();
    for attempt in 1..=PATIENT.max_attempts {
        parts(&mut s, NOW, 4);
        let begun = begins(&mut s, NOW, ORIGIN);
        let verdict = ends(&mut s, NOW, ORIGIN, begun.id(), &no());
        assert_eq!(verdict == Verdict::GiveUp, attempt == PATIENT.max_attempts);
    }
    parts(&mut s, NOW, 4);
    assert_eq!(ranges(&s, ORIGIN), [(0, 2, Failed)], "given up, and shown so");
    let decision = s.redeliver(NOW, None);
    take(&mut s, decision).unwrap();
    acknowledges(&mut s, ORIGIN);
    assert_eq!(ranges(&s, ORIGIN), [(2, 16, Queued)]);
}

#[test]
fn the_end_takes_the_place_of_what_was_to_be_told() {
    for state in [Queued, Failed, Delivered] {
        let mut s = live();
        parts(&mut s, NOW, 2);
        let begun = begins(&mut s, NOW, ORIGIN);
        if state == Delivered {
            ends(&mut s, NOW, ORIGIN, begun.id(), &yes());
        } else if state == Failed {
            for _ in 1..PATIENT.max_attempts {
                let begun = begins(&mut s, NOW, ORIGIN);
                ends(&mut s, NOW, ORIGIN, begun.id(), &no());
            }
        }
        parts(&mut s, NOW, 1);
        completes(&mut s, NOW);
        let told: Vec<_> = of(&s, ORIGIN).iter().map(|delivery| (delivery.kind, delivery.state)).collect();
        assert_eq!(told, [(EventKind::Completed, Queued)]);
        assert_eq!(s.outbox.linked_until(), Some(NOW.plus_ms(1_000)), "the link leads to the object now");
    }
}

#[test]
fn the_end_waits_for_an_attempt_that_is_under_way() {
    let mut s = live();
    parts(&mut s, NOW, 2);
    let begun = begins(&mut s, NOW, ORIGIN);
    completes(&mut s, NOW);
    let next = |s: &Session| s.outbox.next_to(ReceiverIndex::ORIGIN).map(|next| (next.kind, next.next_send_at));
    assert_eq!(next(&s), Some((EventKind::Completed, NOW.plus_ms(60_000))));
    assert_eq!(s.outbox.next().map(|next| next.next_send_at), Some(NOW), "which is nothing to the other receiver");
    let mut s = asleep(NOW, &s);
    ends(&mut s, NOW, ORIGIN, begun.id(), &yes());
    assert_eq!(next(&s), Some((EventKind::Completed, NOW)));
    assert!(s.stored_object().is_some() && !s.is_about_to_be_taken(), "which it has not said of the object");
}

#[test]
fn nothing_is_told_on_the_way_of_what_is_about_to_end() {
    let mut s = live();
    parts(&mut s, NOW, 1);
    // The last chunk says how long it is.
    let last = BeginAppend { file_bytes: ByteCount::new(3 * PART), ..begin(PART, 2 * PART) };
    let decision = s.begin(NOW, last);
    let lease = take(&mut s, decision).unwrap();
    for part in 0..2 {
        let decision = s.commit(NOW, &commit(lease.attempt, vec![receipt(lease.first_number + part, PART)]));
        take(&mut s, decision).unwrap();
    }
    assert_eq!((s.phase(), ranges(&s, ORIGIN)), (Phase::Completing, vec![(0, 2, Queued)]));
    // What became due before is told still, until the ending is.
    acknowledges(&mut s, ORIGIN);
    assert_eq!(ranges(&s, ORIGIN), [(0, 2, Delivered)]);
}

#[test]
fn who_hears_is_who_wants_to() {
    let mut s = live();
    parts(&mut s, NOW, 3);
    assert!(of(&s, SEARCH).is_empty(), "which has not listed it");
    let mut s = create(live_spec(&EventKind::ALL)).unwrap();
    parts(&mut s, NOW, 2);
    acknowledges(&mut s, ORIGIN);
    parts(&mut s, NOW, 2);
    assert_eq!(ranges(&s, ORIGIN), [(2, 4, Queued)]);
    let search: Vec<_> = of(&s, SEARCH).iter().map(|delivery| delivery.kind).collect();
    assert_eq!(search, [EventKind::Created, EventKind::Progressed]);
    acknowledges(&mut s, SEARCH);
    assert_eq!(s.outbox.next_to(s.spec.receivers.named(SEARCH).unwrap()).unwrap().id().from, ByteCount::ZERO);

    let silent = |change: fn(&mut UploadSpec)| {
        let mut spec = live_spec(&[EventKind::Progressed, EventKind::Completed]);
        change(&mut spec);
        let mut s = create(spec).unwrap();
        parts(&mut s, NOW, 5);
        s.outbox.is_empty()
    };
    assert!(silent(|spec| spec.live = Some(Live::default())), "an upload that has not asked for it");
    assert!(silent(|spec| spec.types = MediaTypes::parse(["video/*"]).ok()), "nobody may read it yet");
    assert!(!silent(|spec| spec.policy.tell_origin = false), "without an origin others hear");
}

#[test]
fn what_is_stored_of_it() {
    let mut s = live();
    parts(&mut s, NOW, 2);
    assert_eq!(
        serde_json::to_string(&s.outbox).unwrap(),
        r#"[{"kind":"progressed","occurred_at":1000,"state":"queued","attempts":0,"next_send_at":1000,"new_bytes":{"from":0,"to":16777216}}]"#
    );
    assert_eq!(serde_json::to_string(&s.spec.live).unwrap(), r#"{"tell_every_bytes":16777216}"#);
}

#[test]
fn only_what_goes_wrong_of_it_is_noted() {
    let mut s = live();
    let mut history = s.begin_history();
    parts(&mut s, NOW, 2);
    let mut told = |s: &mut Session, outcome: &DeliveryOutcome| {
        let begun = begins(s, NOW, ORIGIN);
        let change = s.delivery_ended(NOW, ORIGIN, &begun.id().event_id(s.spec.id), outcome).change;
        let before = s.clone();
        s.apply(change.clone());
        before.record_change(&mut history, NOW, &change, s);
    };
    told(&mut s, &yes());
    parts(&mut s, NOW, 2);
    for _ in 0..PATIENT.max_attempts {
        told(&mut s, &no());
    }
    let events: Vec<_> = history.entries.iter().map(|entry| entry.event.as_str()).collect();
    assert_eq!(events, ["created", "delivery_failed"]);
}

/// What happens, in any order.
#[derive(Clone, Copy, Debug)]
enum Step {
    Parts(u64),
    /// An attempt begins, where there is something to tell.
    Begin(bool),
    /// The n-th attempt that is under way ends; its message may come again.
    End(usize, bool),
    Redeliver,
    Sleep,
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let step = prop_oneof![
        3 => (1_u64..5).prop_map(Step::Parts),
        4 => any::<bool>().prop_map(Step::Begin),
        4 => (0_usize..3, any::<bool>()).prop_map(|(which, taken)| Step::End(which, taken)),
        1 => Just(Step::Redeliver),
        1 => Just(Step::Sleep),
    ];
    proptest::collection::vec(step, 1..60)
}

/// What a receiver has seen: the end of each range, by its id.
#[derive(Default)]
struct Seen {
    ranges: BTreeMap<String, NewBytes>,
    last: Option<NewBytes>,
}

impl Seen {
    fn hears(&mut self, id: String, new: NewBytes) {
        assert!(new.to.get() >= new.from.get() + EVERY);
        assert_eq!(*self.ranges.entry(id).or_insert(new), new, "an id means one range");
        let follows = self.last.map_or(new.from.is_zero(), |last| last == new || last.to == new.from);
        assert!(follows, "{new:?} behind {:?}", self.last);
        self.last = Some(new);
    }
}

proptest! {
    #[test]
    fn ranges_follow_each_other_without_a_gap_and_the_end_comes_last(steps in steps()) {
        let mut s = create(live_spec(&[EventKind::Progressed, EventKind::Completed])).unwrap();
        let (mut now, mut seen, mut running) = (NOW, [Seen::default(), Seen::default()], Vec::new());
        for step in steps {
            now = now.plus_ms(11_000);
            match step {
                Step::Parts(count) => if s.uploaded_bytes().get() < 90 * PART { parts(&mut s, now, count) },
                Step::Begin(is_search) => {
                    let name = if is_search { SEARCH } else { ORIGIN };
                    let index = s.spec.receivers.named(name).unwrap();
                    if s.outbox.next_to(index).is_some() {
                        let begun = begins(&mut s, now, name);
                        let new = begun.new_bytes.unwrap();
                        prop_assert!(new.to <= s.uploaded_bytes() && s.growing(new.from).is_ok());
                        seen[usize::from(is_search)].hears(begun.id().event_id(s.spec.id), new);
                        running.push((name, begun.id()));
                    }
                }
                Step::End(which, is_taken) => if which < running.len() {
                    let (name, id) = running.remove(which);
                    ends(&mut s, now, name, id, &if is_taken { yes() } else { no() });
                },
                Step::Redeliver => {
                    let decision = s.redeliver(now, None);
                    let _ = take(&mut s, decision);
                }
                Step::Sleep => s = asleep(now, &s),
            }
            for receiver in [ReceiverIndex::ORIGIN, s.spec.receivers.named(SEARCH).unwrap()] {
                let entries = s.outbox.to(receiver).filter(|delivery| delivery.kind == EventKind::Progressed);
                prop_assert!(entries.count() <= 1);
            }
        }
        completes(&mut s, now);
        for name in [ORIGIN, SEARCH] {
            for _ in 0..running.len() {
                let (other, id) = running.remove(0);
                ends(&mut s, now, other, id, &yes());
            }
            let begun = begins(&mut s, now, name);
            prop_assert_eq!(begun.kind, EventKind::Completed);
            ends(&mut s, now, name, begun.id(), &yes());
        }
        prop_assert!(s.outbox.next().is_none());
    }
}
