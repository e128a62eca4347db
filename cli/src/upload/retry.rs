//! When to try again: growing pauses with full jitter, so that many clients do not come back at once; never sooner than the server asked;
//! and an end to it once nothing has succeeded for long enough.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::time::{Instant, sleep};

use crate::api::{Refusal, Verdict};
use crate::failure::Failure;

const FIRST_PAUSE: Duration = Duration::from_millis(500);
const LONGEST_PAUSE: Duration = Duration::from_secs(30);

/// How long trouble is sat out, over everything that one file needs.
pub(crate) struct Patience {
    lasts: Duration,
    /// When something has succeeded last.
    success: Mutex<Instant>,
    on_pause: Box<dyn Fn(&str) + Send + Sync>,
}

/// Failures in a row of one thing.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Streak(u32);

impl Streak {
    /// Whether nothing has failed yet.
    pub(crate) fn is_new(self) -> bool {
        self.0 == 0
    }
}

impl Patience {
    /// `on_pause` is told, in words, of every failure that is sat out.
    pub(crate) fn new(lasts: Duration, on_pause: impl Fn(&str) + Send + Sync + 'static) -> Arc<Self> {
        Arc::new(Self { lasts, success: Mutex::new(Instant::now()), on_pause: Box::new(on_pause) })
    }

    /// Bytes have arrived, or a question was answered.
    pub(crate) fn succeeded(&self) {
        *self.success.lock().unwrap_or_else(PoisonError::into_inner) = Instant::now();
    }

    /// Nothing was tried for a while, since there was nothing to do: that time does not count as trouble.
    pub(crate) fn was_idle(&self) {
        self.succeeded();
    }

    /// Waits before the next try. Fails where there is no point in one.
    pub(crate) async fn wait(&self, refusal: Refusal, streak: &mut Streak) -> Result<(), Failure> {
        if refusal.verdict != Verdict::Passing {
            return Err(refusal.into());
        }
        streak.0 += 1;
        let asked = refusal.retry_after.unwrap_or_default();
        let pause = asked.saturating_add(jittered(growing(streak.0)));
        let silent_since = *self.success.lock().unwrap_or_else(PoisonError::into_inner);
        if silent_since.elapsed().saturating_add(pause) > self.lasts {
            let why = if asked > self.lasts {
                format!("The server wants to be left alone for {} s.", asked.as_secs())
            } else {
                format!("Given up: nothing has succeeded for {} s.", self.lasts.as_secs())
            };
            return Err(Failure::resumable(format!("{} {why}", refusal.message)));
        }
        (self.on_pause)(&format!("{} Again in {:.1} s.", refusal.message, pause.as_secs_f32()));
        sleep(pause).await;
        Ok(())
    }

    /// Asks until there is an answer, or a refusal that waiting does not mend.
    pub(crate) async fn ask<T, F>(&self, question: impl Fn() -> F) -> Result<T, Failure>
    where
        F: Future<Output = Result<T, Refusal>>,
    {
        let answer = self.look(question).await?;
        self.succeeded();
        Ok(answer)
    }

    /// The same after something has failed: an answer to that is no success, or what always fails would be tried without end.
    pub(crate) async fn look<T, F>(&self, question: impl Fn() -> F) -> Result<T, Failure>
    where
        F: Future<Output = Result<T, Refusal>>,
    {
        let mut streak = Streak::default();
        loop {
            match question().await {
                Ok(answer) => return Ok(answer),
                Err(refusal) => self.wait(refusal, &mut streak).await?,
            }
        }
    }
}

fn growing(failures: u32) -> Duration {
    FIRST_PAUSE.saturating_mul(1 << failures.saturating_sub(1).min(10)).min(LONGEST_PAUSE)
}

/// Any time up to this.
fn jittered(most: Duration) -> Duration {
    let mut random = [0; 4];
    // Without randomness all pauses are the longest.
    let share = getrandom::fill(&mut random).map_or(u32::MAX, |()| u32::from_le_bytes(random));
    most.mul_f64(f64::from(share) / f64::from(u32::MAX))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_grow_to_half_a_minute() {
        assert_eq!(growing(1), FIRST_PAUSE);
        assert_eq!(growing(3), FIRST_PAUSE * 4);
        assert_eq!(growing(1_000), LONGEST_PAUSE);
    }

    #[tokio::test(start_paused = true)]
    async fn it_waits_as_long_as_the_server_asked() {
        let patience = Patience::new(Duration::from_mins(1), |_| {});
        let mut refusal = Refusal::passing("busy".to_owned());
        refusal.retry_after = Some(Duration::from_secs(20));
        let began = Instant::now();
        patience.wait(refusal, &mut Streak::default()).await.unwrap();
        assert!(began.elapsed() >= Duration::from_secs(20));
    }

    #[tokio::test(start_paused = true)]
    async fn an_outage_is_sat_out_and_one_without_end_is_not() {
        let patience = Patience::new(Duration::from_secs(100), |_| {});
        let began = Instant::now();
        // The longest pause is half a minute, by chance: one that begins before the end must fit.
        let is_over = || began.elapsed() > Duration::from_secs(69);
        let broken = || Refusal::passing("broken".to_owned());
        let answer = patience.ask(|| async { if is_over() { Ok(7) } else { Err(broken()) } }).await;
        assert_eq!(answer.unwrap(), 7);
        let never = patience.ask(|| async { Err::<(), _>(broken()) }).await.unwrap_err();
        assert!(never.message.contains("Given up"), "{never}");
    }

    #[tokio::test(start_paused = true)]
    async fn what_always_fails_is_given_up_although_questions_are_answered() {
        let patience = Patience::new(Duration::from_secs(100), |_| {});
        let mut streak = Streak::default();
        let given_up = loop {
            if let Err(failure) = patience.wait(Refusal::passing("broken".to_owned()), &mut streak).await {
                break failure;
            }
            patience.look(|| async { Ok::<_, Refusal>(()) }).await.unwrap();
        };
        assert!(given_up.message.contains("Given up"), "{given_up}");
    }
}
