//! A whole text as Prometheus scrapes it: types and series, whatever of it can be read.

use std::{
    borrow::Cow,
    collections::{HashMap, hash_map::Entry},
};

use super::line::{Line, Sample, read};

/// Most series of one scrape; what follows is counted, but not kept.
pub(super) const MOST_SERIES: usize = 50_000;

/// How a text is to be read.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Format {
    /// Prometheus text 0.0.4.
    Text,
    /// `OpenMetrics` 1.0, which says where it ends.
    OpenMetrics,
}

impl Format {
    /// From the `Content-Type` of an answer; `None` if that is something else, such as a page of a login.
    pub(super) fn of(content_type: Option<&str>) -> Option<Self> {
        let kind = content_type
            .unwrap_or_default()
            .split(';')
            .next()
            .unwrap_or_default()
            .trim()
            .to_ascii_lowercase();
        match kind.as_str() {
            "application/openmetrics-text" => Some(Self::OpenMetrics),
            // small exporters say nothing or something vague
            "" | "text/plain" | "application/octet-stream" => Some(Self::Text),
            _ => None,
        }
    }
}

/// What a family of metrics is.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Kind {
    Counter,
    Gauge,
    Histogram,
    GaugeHistogram,
    Summary,
    Info,
    StateSet,
    Unknown,
}

impl Kind {
    fn of(word: &str) -> Self {
        match word {
            "counter" => Self::Counter,
            "gauge" => Self::Gauge,
            "histogram" => Self::Histogram,
            "gaugehistogram" => Self::GaugeHistogram,
            "summary" => Self::Summary,
            "info" => Self::Info,
            "stateset" => Self::StateSet,
            _ => Self::Unknown,
        }
    }
}

/// What one text holds.
#[derive(Debug, Default)]
pub(super) struct Exposition<'a> {
    kinds: HashMap<Cow<'a, str>, Kind>,
    /// In the order of the text; of a series that is there twice, the last value.
    pub(super) samples: Vec<Sample<'a>>,
    /// Lines that could not be read.
    pub(super) garbled: usize,
    /// Series beyond the bound.
    pub(super) too_many: usize,
    /// Whether its end was seen.
    pub(super) ended: bool,
}

impl<'a> Exposition<'a> {
    /// Reads a text.
    pub(super) fn read(text: &'a str, format: Format) -> Self {
        let mut all = Self::default();
        let mut places: HashMap<_, usize> = HashMap::new();
        for line in text.split('\n') {
            match read(line) {
                Some(Line::Nothing) => {}
                // only a comment there
                Some(Line::End) if format == Format::Text => {}
                Some(Line::End) => {
                    all.ended = true;
                    break;
                }
                Some(Line::Type { family, kind }) => {
                    all.kinds.insert(family, Kind::of(kind));
                }
                Some(Line::Sample(sample)) => {
                    let places_left = all.samples.len() < MOST_SERIES;
                    match places.entry((sample.name.clone(), sample.labels.clone())) {
                        Entry::Occupied(place) => {
                            if let Some(known) = all.samples.get_mut(*place.get()) {
                                known.value = sample.value;
                            }
                        }
                        Entry::Vacant(place) if places_left => {
                            place.insert(all.samples.len());
                            all.samples.push(sample);
                        }
                        Entry::Vacant(_) => all.too_many += 1,
                    }
                }
                None => all.garbled += 1,
            }
        }
        all.guess_histograms();
        all
    }

    /// Histograms whose type is not told show themselves by their buckets.
    fn guess_histograms(&mut self) {
        for sample in &self.samples {
            if sample.label("le").is_some()
                && let Some(family) = sample.name.strip_suffix("_bucket")
                && !self.kinds.contains_key(family)
            {
                self.kinds
                    .insert(Cow::Owned(family.to_owned()), Kind::Histogram);
            }
        }
    }

    /// The family of a series, what that is, and what stands behind the family's name.
    pub(super) fn family<'s>(&self, name: &'s str) -> (&'s str, Kind, &'s str) {
        if let Some(kind) = self.kinds.get(name) {
            return (name, *kind, "");
        }
        let suffixed = [
            "_total", "_bucket", "_count", "_sum", "_gcount", "_gsum", "_created", "_info",
        ]
        .iter()
        .filter_map(|suffix| Some((name.strip_suffix(suffix)?, *suffix)))
        .find_map(|(family, suffix)| {
            let kind = *self.kinds.get(family)?;
            belongs(kind, suffix).then_some((family, kind, suffix))
        });
        suffixed.unwrap_or((name, Kind::Unknown, ""))
    }
}

fn belongs(kind: Kind, suffix: &str) -> bool {
    match kind {
        Kind::Counter => matches!(suffix, "_total" | "_created"),
        Kind::Histogram => matches!(suffix, "_bucket" | "_count" | "_sum" | "_created"),
        Kind::GaugeHistogram => matches!(suffix, "_bucket" | "_gcount" | "_gsum" | "_created"),
        Kind::Summary => matches!(suffix, "_count" | "_sum" | "_created"),
        Kind::Info => suffix == "_info",
        Kind::Gauge | Kind::StateSet | Kind::Unknown => false,
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn one_garbled_line_does_not_lose_the_others() {
        let text = "# TYPE a counter\na_total 1\n<b>oops</b>\nb 2\n\nb{x=\"1\"} 3\nb 4";
        let read = Exposition::read(text, Format::Text);
        let values: Vec<_> = read.samples.iter().map(|s| (&*s.name, s.value)).collect();
        assert_eq!(values, [("a_total", 1.0), ("b", 4.0), ("b", 3.0)]);
        assert_eq!((read.garbled, read.too_many, read.ended), (1, 0, false));
    }

    #[test]
    fn the_end_ends_only_what_has_one() {
        let text = "a 1\n# EOF\nb 2\n";
        let open = Exposition::read(text, Format::OpenMetrics);
        assert!(open.ended && open.samples.len() == 1);
        let plain = Exposition::read(text, Format::Text);
        assert!(!plain.ended && plain.samples.len() == 2);
    }

    #[test]
    fn a_series_belongs_to_the_family_whose_type_is_told_before_or_after_it() {
        let text = "h_bucket{le=\"1\"} 1\nh_count 1\n# TYPE s summary\n# TYPE c counter\n# TYPE i info\n\
                    # TYPE g gauge\n# TYPE n_count gauge\nu_bucket 1\n# TYPE s summary\n";
        let read = Exposition::read(text, Format::Text);
        for (name, wanted) in [
            ("h_bucket", ("h", Kind::Histogram, "_bucket")),
            ("h_count", ("h", Kind::Histogram, "_count")),
            ("s_sum", ("s", Kind::Summary, "_sum")),
            ("s", ("s", Kind::Summary, "")),
            ("c_total", ("c", Kind::Counter, "_total")),
            ("c_created", ("c", Kind::Counter, "_created")),
            ("i_info", ("i", Kind::Info, "_info")),
            ("g_total", ("g_total", Kind::Unknown, "")),
            ("n_count", ("n_count", Kind::Gauge, "")),
            ("u_bucket", ("u_bucket", Kind::Unknown, "")),
        ] {
            assert_eq!(read.family(name), wanted, "{name}");
        }
    }

    #[test]
    fn more_series_than_the_bound_are_counted() {
        let lines: Vec<_> = (0..MOST_SERIES + 7)
            .map(|n| format!("x{{n=\"{n}\"}} 1"))
            .collect();
        let text = lines.join("\n");
        let read = Exposition::read(&text, Format::Text);
        assert_eq!((read.samples.len(), read.too_many), (MOST_SERIES, 7));
    }

    #[test]
    fn what_is_no_metrics_is_known_by_its_type() {
        for (content_type, wanted) in [
            (None, Some(Format::Text)),
            (
                Some("text/plain; version=0.0.4; charset=utf-8"),
                Some(Format::Text),
            ),
            (
                Some("application/openmetrics-text; version=1.0.0"),
                Some(Format::OpenMetrics),
            ),
            (Some("TEXT/HTML; charset=utf-8"), None),
            (Some("application/json"), None),
        ] {
            assert_eq!(Format::of(content_type), wanted, "{content_type:?}");
        }
    }

    proptest! {
        #[test]
        fn any_text_is_read_to_its_end(text in "([a-z_]{1,9}(\\{[a-z]=\"[a-z]\"\\})? [0-9]{1,3}|# TYPE [a-z]{1,3} [a-z]+|\\PC{0,30}|\n)*") {
            let read = Exposition::read(&text, Format::Text);
            let lines = text.split('\n').count();
            prop_assert!(read.samples.len() + read.garbled + read.too_many <= lines);
            for sample in &read.samples {
                let (family, _, suffix) = read.family(&sample.name);
                prop_assert_eq!(format!("{}{}", family, suffix), sample.name.to_string());
            }
        }
    }
}
