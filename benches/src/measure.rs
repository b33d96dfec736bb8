//! Statistics, and timing two pieces of code against each other.

use std::time::{Duration, Instant};

/// How long one batch of a piece of code takes: short, so that both sides see the same machine.
const BATCH: Duration = Duration::from_millis(2);

/// The middle value, or the mean of the two in the middle. Not a number where there is none.
pub(crate) fn median(values: impl IntoIterator<Item = f64>) -> f64 {
    let mut values: Vec<f64> = values.into_iter().collect();
    values.sort_by(f64::total_cmp);
    let middle = values.len() / 2;
    match (values.get(middle), values.get(middle.wrapping_sub(1))) {
        (Some(upper), Some(lower)) if values.len().is_multiple_of(2) => (upper + lower) / 2.0,
        (Some(value), _) => *value,
        (None, _) => f64::NAN,
    }
}

/// The value that this share of sorted values does not exceed. Exact, by the nearest rank.
pub(crate) fn percentile(sorted: &[Duration], share: f64) -> Duration {
    let rank = (share * sorted.len() as f64).ceil() as usize;
    let position = rank.clamp(1, sorted.len().max(1)) - 1;
    sorted.get(position).copied().unwrap_or_default()
}

/// Two pieces of code that were run in turn.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Pair {
    /// Median of the subject, in microseconds per call.
    pub(crate) subject: f64,
    /// Median of the other, in microseconds per call.
    pub(crate) floor: f64,
    /// Median of the ratios of neighbouring batches.
    pub(crate) ratio: f64,
}

/// Times two pieces of code in alternating batches, `rounds` of each.
pub(crate) fn pair(rounds: usize, mut subject: impl FnMut(), mut floor: impl FnMut()) -> Pair {
    let calls = calls_per_batch(&mut subject).min(calls_per_batch(&mut floor));
    let times: Vec<(f64, f64)> = (0..rounds)
        .map(|round| {
            // Who comes first changes, or being second would be an advantage.
            if round.is_multiple_of(2) {
                let first = batch(calls, &mut subject);
                (first, batch(calls, &mut floor))
            } else {
                let first = batch(calls, &mut floor);
                (batch(calls, &mut subject), first)
            }
        })
        .collect();
    Pair {
        subject: median(times.iter().map(|(subject, _)| *subject)),
        floor: median(times.iter().map(|(_, floor)| *floor)),
        ratio: median(times.iter().map(|(subject, floor)| subject / floor)),
    }
}

/// Microseconds per call.
fn batch(calls: u32, code: &mut impl FnMut()) -> f64 {
    let begin = Instant::now();
    for _ in 0..calls {
        code();
    }
    begin.elapsed().as_secs_f64() * 1e6 / f64::from(calls)
}

fn calls_per_batch(code: &mut impl FnMut()) -> u32 {
    let mut calls = 1;
    loop {
        let begin = Instant::now();
        batch(calls, code);
        if begin.elapsed() >= BATCH {
            return calls;
        }
        calls *= 2;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_median_is_in_the_middle() {
        assert_eq!(median([3.0, 1.0, 2.0]), 2.0);
        assert_eq!(median([4.0, 1.0, 2.0, 3.0]), 2.5);
        assert!(median([]).is_nan());
    }

    #[test]
    fn percentiles_are_values_that_were_measured() {
        let sorted: Vec<_> = (1..=200).map(Duration::from_micros).collect();
        assert_eq!(percentile(&sorted, 0.5), Duration::from_micros(100));
        assert_eq!(percentile(&sorted, 0.99), Duration::from_micros(198));
        assert_eq!(percentile(&sorted, 1.0), Duration::from_micros(200));
        assert_eq!(percentile(&[], 0.5), Duration::ZERO);
    }
}
