//! InfluxQL statements. Whatever comes from outside goes through [`identifier`] or [`text`].

use schemas::{Timestamp, name::EntityType};

use super::schema::{ID, MAX_MS, MIN_MS, SOURCE, tag_of_id};
use crate::Selection;

/// More entities or sources than this are not named in a statement; the answer is sifted instead.
pub(super) const MAX_NAMED: usize = 200;

fn quoted(out: &mut String, text: &str, quote: char) {
    out.push(quote);
    for c in text.chars() {
        match c {
            '\n' => out.push_str("\\n"),
            c if c == quote || c == '\\' => {
                out.push('\\');
                out.push(c);
            }
            c => out.push(c),
        }
    }
    out.push(quote);
}

/// A name of a measurement, field or tag.
pub(super) fn identifier(name: &str) -> String {
    let mut out = String::with_capacity(name.len() + 2);
    quoted(&mut out, name, '"');
    out
}

/// A text.
pub(super) fn text(value: &str) -> String {
    let mut out = String::with_capacity(value.len() + 2);
    quoted(&mut out, value, '\'');
    out
}

/// Of when values are: `[from, to)` in Unix milliseconds.
#[derive(Debug, Clone, Copy)]
pub(super) struct Span {
    pub(super) from: i64,
    pub(super) to: i64,
}

impl Span {
    /// Always.
    pub(super) const ALL: Self = Self {
        from: i64::MIN,
        to: i64::MAX,
    };

    /// Up to an instant, inclusive.
    pub(super) const fn until(at: i64) -> Self {
        Self {
            from: i64::MIN,
            to: at.saturating_add(1),
        }
    }

    /// The last milliseconds of it; one that does not end, up to now and beyond.
    pub(super) fn end(self, millis: i64) -> Self {
        let end = self.to.min(Timestamp::now().as_millis());
        Self {
            from: self.from.max(end.saturating_sub(millis)),
            to: self.to,
        }
    }

    /// Before an instant.
    pub(super) const fn before(at: i64) -> Self {
        Self {
            from: i64::MIN,
            to: at,
        }
    }
}

/// ` WHERE …` for the entities of one type that a selection wants, or nothing.
pub(super) fn conditions(selection: &Selection, of: &EntityType, span: Span) -> String {
    let tag = |name: &str, value: &str| format!("\"{name}\"::tag = {}", text(value));
    let mut all = Vec::new();
    if span.from > MIN_MS {
        all.push(format!("time >= {}ms", span.from.min(MAX_MS)));
    }
    if span.to <= MAX_MS {
        all.push(format!("time < {}ms", span.to.max(MIN_MS)));
    }
    let entities: Vec<_> = selection
        .entities
        .iter()
        .filter(|key| key.entity_type == *of)
        .collect();
    if !entities.is_empty() && entities.len() <= MAX_NAMED {
        let any: Vec<_> = entities
            .iter()
            .map(|key| {
                format!(
                    "({} AND {})",
                    tag(SOURCE, key.source.as_str()),
                    tag(ID, &tag_of_id(&key.id))
                )
            })
            .collect();
        all.push(format!("({})", any.join(" OR ")));
    }
    if !selection.sources.is_empty() && selection.sources.len() <= MAX_NAMED {
        let any: Vec<_> = selection
            .sources
            .iter()
            .map(|source| tag(SOURCE, source.as_str()))
            .collect();
        all.push(format!("({})", any.join(" OR ")));
    }
    if all.is_empty() {
        String::new()
    } else {
        format!(" WHERE {}", all.join(" AND "))
    }
}

/// ` GROUP BY` entity.
pub(super) const BY_ENTITY: &str = " GROUP BY \"source\"::tag, \"id\"::tag";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_gets_out_of_its_quotes() {
        assert_eq!(identifier("a\"; DROP x\\"), r#""a\"; DROP x\\""#);
        assert_eq!(text("it's\\\n"), r"'it\'s\\\n'");
    }

    #[test]
    fn conditions_name_what_is_wanted() {
        let selection = Selection {
            entities: vec!["nas1/disk/a%27b".parse().unwrap()],
            ..Selection::default()
        };
        let disk = EntityType::new("disk").unwrap();
        let span = Span { from: 5, to: 7 };
        assert_eq!(
            conditions(&selection, &disk, span),
            r#" WHERE time >= 5ms AND time < 7ms AND (("source"::tag = 'nas1' AND "id"::tag = 'a\'b'))"#
        );
        assert_eq!(conditions(&Selection::default(), &disk, Span::ALL), "");
    }
}
