//! Reading metrics.

use crate::Client;

/// The sum of a metric's series that have all these labels (`name="value"`); none if there is no
/// such series.
///
/// # Panics
///
/// If the client may not read `/metrics`.
#[must_use]
#[track_caller]
pub fn metric(client: &Client, name: &str, labels: &[&str]) -> Option<f64> {
    let answer = client.get("/metrics");
    assert_eq!(answer.status, 200, "{}", answer.text());
    sum(&answer.text(), name, labels)
}

fn sum(text: &str, name: &str, labels: &[&str]) -> Option<f64> {
    let series = text.lines().filter_map(|line| {
        let rest = line.strip_prefix(name)?;
        let (found, value) = rest.rsplit_once(' ')?;
        let is_whole_name = found.is_empty() || found.starts_with('{');
        let has_labels = labels.iter().all(|label| found.contains(label));
        (is_whole_name && has_labels).then(|| value.parse::<f64>().expect("metrics are numbers"))
    });
    series.fold(None, |sum, value| Some(sum.unwrap_or_default() + value))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn series_are_chosen_by_their_labels() {
        let text = "# TYPE a counter\na{b=\"1\",c=\"x\"} 2\na{b=\"1\",c=\"y\"} 3\na_total 9\nd 4\n";
        assert_eq!(sum(text, "a", &["b=\"1\""]), Some(5.0));
        assert_eq!(sum(text, "a", &["b=\"1\"", "c=\"y\""]), Some(3.0));
        assert_eq!(sum(text, "a", &["b=\"2\""]), None);
        assert_eq!(sum(text, "d", &[]), Some(4.0));
    }
}
