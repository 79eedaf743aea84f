//! What a profile needs of a drone: what it says, and the secrets that its requests take.

use std::collections::BTreeSet;

use super::notes::Notes;
use crate::domain::fleet::{MAX_LABEL_CHARS, MAX_LABELS};
use crate::domain::needs::{MAX_REPLICAS, Needs};
use crate::profiles::document::placement::{LabelValues, Placement};
use crate::profiles::node::{At, Place};
use crate::profiles::plan::Plan;

pub fn needs(said: Option<&At<Placement>>, plan: Option<&Plan>, notes: &mut Notes) -> Needs {
    let mut needs = Needs { secrets: secrets(plan), ..Needs::default() };
    let Some(At { value: doc, place }) = said else { return needs };
    if let Some(replicas) = &doc.replicas {
        needs.replicas = count(replicas, notes);
    }
    let labels = doc.labels.as_ref().map_or(&[][..], |labels| &labels.0);
    if labels.len() > MAX_LABELS {
        notes.add(*place, format!("{} labels; a drone has at most {MAX_LABELS}", labels.len()));
    }
    for (key, values) in labels {
        check(&key.value, key.place, notes);
        needs.labels.insert(key.value.clone(), any_of(values, notes));
    }
    needs
}

fn count(replicas: &At<u64>, notes: &mut Notes) -> u32 {
    match u32::try_from(replicas.value).ok().filter(|count| (1..=MAX_REPLICAS).contains(count)) {
        Some(count) => count,
        None => {
            let message = format!("{} replicas; a profile runs on 1 to {MAX_REPLICAS} drones", replicas.value);
            notes.add_with_hint(
                replicas.place,
                message,
                "a profile that is not to run says schedule: {enabled: false}",
            );
            1
        }
    }
}

fn any_of(values: &At<LabelValues>, notes: &mut Notes) -> BTreeSet<String> {
    let all = match &values.value {
        LabelValues::One(value) => vec![At { value: value.clone(), place: values.place }],
        LabelValues::Any(all) => all.clone(),
    };
    if all.is_empty() {
        notes.add_with_hint(values.place, "no drone has one of no values", "one value, or a list of values");
    }
    if all.len() > MAX_LABELS {
        notes.add(values.place, format!("{} values; at most {MAX_LABELS}", all.len()));
    }
    for value in &all {
        check(&value.value, value.place, notes);
    }
    all.into_iter().map(|value| value.value).collect()
}

fn check(text: &str, place: Place, notes: &mut Notes) {
    if text.is_empty() || text.chars().count() > MAX_LABEL_CHARS {
        notes.add(place, format!("a label and its value have 1 to {MAX_LABEL_CHARS} characters"));
    }
}

/// A secret that is optional is not needed.
fn secrets(plan: Option<&Plan>) -> BTreeSet<String> {
    let Some(plan) = plan else { return BTreeSet::new() };
    let requests = std::iter::once(&plan.request).chain(plan.first.iter().map(|first| &first.plan.request));
    let needed = requests.filter_map(|request| request.auth.as_ref()).filter(|auth| !auth.optional);
    needed.flat_map(|auth| auth.secrets()).map(str::to_owned).collect()
}

#[cfg(test)]
mod tests {
    use crate::profiles::load;

    fn text(more: &str) -> String {
        format!(
            "id: p\nsource: {{type: http_rest, url: \"https://example.org/x\"}}\nrows: {{each: $}}\n\
             dims: {{a: {{from: a}}}}\nmeasures: {{b: {{from: b}}}}\n{more}"
        )
    }

    #[test]
    fn a_profile_that_says_nothing_needs_nothing() {
        assert_eq!(*load(&text("")).unwrap().needs(), crate::domain::needs::Needs::default());
    }

    #[test]
    fn labels_replicas_and_secrets_are_needed() {
        let secret = "https://example.org/x\", auth: {secret: KEY, in: query, name: key}";
        let placement = "placement: {labels: {region: [eu, uk], tier: 1}, replicas: 2}\n";
        let profile = load(&text(placement).replace("https://example.org/x\"", secret)).unwrap();
        let needs = profile.needs();
        let told: Vec<_> = needs.each().map(|need| need.to_string()).collect();
        assert_eq!(told, ["the label region: eu or uk", "the label tier: 1", "the secret KEY (CHARTLY_SECRET_KEY)"]);
        assert_eq!(needs.replicas, 2);
    }

    #[test]
    fn what_no_drone_can_meet_is_told_with_its_place() {
        let long = "x".repeat(101);
        let text = text(&format!("placement: {{labels: {{region: [], {long}: a}}, replicas: 0}}\n"));
        let problems = load(&text).unwrap_err();
        let told: Vec<_> =
            problems.places(None).into_iter().map(|place| format!("{} {}", place.at, place.reason)).collect();
        assert_eq!(told.len(), 3, "{told:?}");
        assert!(told.iter().any(|one| one.contains("0 replicas; a profile runs on 1 to 100 drones")), "{told:?}");
        assert!(told.iter().any(|one| one.contains("no drone has one of no values")), "{told:?}");
        assert!(told.iter().any(|one| one.contains("1 to 100 characters")), "{told:?}");
    }
}
