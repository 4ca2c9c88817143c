use axum::{
    Json,
    extract::State,
    http::{HeaderMap, Uri, header},
    response::{IntoResponse, Response},
};
use schemas::{
    Catalog, EntityKey, FieldValue, Timestamp,
    api::{Agg, ApiValue, ErrorAnswer, RangeAnswer, RangeSeries},
    catalog::Unit,
    name::EntityType,
};
use time_series::{RangeData, RangeQuery, Selection, Series, Step};

use crate::{
    ApiError, App,
    accept::accepts,
    convert, csv,
    group::{self, GroupBy},
    params::Params,
    window,
};

const DEFAULT_RANGE_MS: i64 = 6 * 3_600_000;
/// Answers with more values than this are written down away from the threads that serve requests.
const LARGE: usize = 20_000;

/// History in windows, or raw.
#[utoipa::path(
    get,
    path = "/api/v1/range",
    tag = "history",
    params(
        ("entity" = Option<Vec<String>>, Query, description = "Keys of entities; repeatable"),
        ("type" = Option<Vec<String>>, Query, description = "Types of entities; repeatable or a list joined by commas"),
        ("source" = Option<Vec<String>>, Query, description = "Names of sources; repeatable or a list joined by commas"),
        ("field" = Option<Vec<String>>, Query, description = "Names of fields; repeatable or a list joined by commas; without it all"),
        ("from" = Option<String>, Query, description = "Begin, inclusive: RFC 3339, `now`, `-6h` or a Unix number; `-6h` without it"),
        ("to" = Option<String>, Query, description = "End, exclusive; `now` without it"),
        ("step" = Option<String>, Query, description = "Width of the windows: `30s`, `5m`, `1h`, seconds; `1d`, `1w`, `1mo` of the calendar of `tz`; `raw` for every sample; without it chosen for at most 1,000 points"),
        ("agg" = Option<Vec<String>>, Query, description = "mean (default), min, max, sum, count, first, last, rate, increase; repeatable or a list joined by commas"),
        ("group" = Option<String>, Query, description = "`source`, `type` or the name of a label: merges the series of all entities that share its value, window by window: mean of means, smallest min, largest max, sum of sums, counts, rates and increases. `entity` of an answer is then that value, empty for entities without the label. Not with `raw`, first or last; texts and flags are left out"),
        ("tz" = Option<String>, Query, description = "IANA time zone of `1d`, `1w` and `1mo`; UTC without it"),
    ),
    responses(
        (status = 200, description = "By entity, field, aggregation; as CSV (`time,entity,field,unit,agg,value`) by `Accept: text/csv`", content(
            (RangeAnswer = "application/json"),
            (String = "text/csv"),
        )),
        (status = 400, description = "A parameter is wrong, or the answer would be too large (`range_too_large`)", body = ErrorAnswer),
        (status = 401, description = "No valid token", body = ErrorAnswer),
        (status = 503, description = "The store is being rebuilt after a start, or too many queries are being worked on", body = ErrorAnswer),
    )
)]
pub(crate) async fn range(
    State(app): State<App>,
    uri: Uri,
    headers: HeaderMap,
) -> Result<Response, ApiError> {
    let asked = Asked::read(&uri, Timestamp::now())?;
    let as_csv = accepts(&headers, "text/csv");
    app.rebuilt().await?;
    let _place = app.query_place().await?;
    let step = match asked.step {
        Some(step) => step,
        None => window::choose_step(
            asked.from,
            asked.to,
            interval_of(&app, &asked.selection).await?,
        ),
    };
    let windows = window::windows(asked.from, asked.to, step);
    let limit = app.options.max_values as u64;
    if windows > limit {
        return Err(time_series::QueryError::TooLarge {
            what: "windows",
            asked: windows,
            limit,
        }
        .into());
    }
    let query = RangeQuery {
        selection: asked.selection,
        fields: asked.fields,
        from: asked.from,
        to: asked.to,
        step,
        aggs: asked.aggs,
        max_series: app.options.max_series,
        max_values: app.options.max_values,
    };
    let data = app.services.store.range(&query).await?;
    let values: usize = data.series.iter().map(|s| s.values.len()).sum();
    let group = asked.group;
    let catalog = std::sync::Arc::clone(&app.services.catalog);
    let write = move || {
        let answer = answer(data, &query, group.as_ref(), &catalog);
        if as_csv {
            let head = [
                (
                    header::CONTENT_TYPE,
                    "text/csv; charset=utf-8; header=present",
                ),
                (header::CACHE_CONTROL, "no-store"),
                (header::VARY, "accept"),
            ];
            (head, csv::range(&answer)).into_response()
        } else {
            let head = [
                (header::CACHE_CONTROL, "no-store"),
                (header::VARY, "accept"),
            ];
            (head, Json(answer)).into_response()
        }
    };
    if values > LARGE {
        tokio::task::spawn_blocking(write)
            .await
            .map_err(|e| ApiError::internal(&e))
    } else {
        Ok(write())
    }
}

struct Asked {
    selection: Selection,
    fields: Vec<schemas::FieldName>,
    from: Timestamp,
    to: Timestamp,
    step: Option<Step>,
    aggs: Vec<Agg>,
    group: Option<GroupBy>,
}

impl Asked {
    fn read(uri: &Uri, now: Timestamp) -> Result<Self, ApiError> {
        let params = Params::read(
            uri,
            &[
                "entity", "type", "source", "field", "from", "to", "step", "agg", "group", "tz",
            ],
        )?;
        let from = params.time("from", now)?;
        let to = params.time("to", now)?.unwrap_or(now);
        let from = from.unwrap_or_else(|| now.plus_millis(-DEFAULT_RANGE_MS));
        if from >= to {
            return Err(ApiError::bad_request(
                "invalid_range",
                format!("`from` ({from}) must be before `to` ({to})"),
            ));
        }
        let tz = params.time_zone()?;
        let step = params
            .one("step")?
            .map(|text| window::parse_step(text, tz))
            .transpose()?;
        let mut aggs: Vec<Agg> = params.list("agg")?;
        aggs.sort_unstable();
        aggs.dedup();
        if aggs.is_empty() {
            aggs.push(Agg::Mean);
        }
        let group = params.one("group")?.map(GroupBy::parse).transpose()?;
        if group.is_some() {
            group::check_groupable(&aggs)?;
            if step == Some(Step::Raw) {
                return Err(ApiError::bad_request(
                    "invalid_group",
                    "`group` does not go with `step=raw`: samples of many entities have no common times",
                ));
            }
        }
        Ok(Self {
            selection: Selection {
                entities: params.list("entity")?,
                entity_types: params.list("type")?,
                sources: params.list("source")?,
            },
            fields: params.list("field")?,
            from,
            to,
            step,
            aggs,
            group,
        })
    }
}

/// The shortest interval, in milliseconds, at which the sources of a selection are polled, as far as they say it.
async fn interval_of(app: &App, selection: &Selection) -> Result<Option<i64>, ApiError> {
    let mut sources = selection.sources.clone();
    sources.extend(selection.entities.iter().map(|key| key.source.clone()));
    sources.sort_unstable();
    sources.dedup();
    let of_sources = Selection {
        sources,
        entity_types: vec![EntityType::new("source").map_err(|e| ApiError::internal(&e))?],
        entities: Vec::new(),
    };
    let state = app.services.store.state(&of_sources, None).await?;
    Ok(state
        .entities
        .iter()
        .filter_map(|entity| entity.fields.get("interval_seconds")?.value.as_f64())
        .filter(|seconds| (0.001..86_400.0 * 31.0).contains(seconds))
        .map(millis)
        .min())
}

#[expect(
    clippy::cast_possible_truncation,
    reason = "bounded to a month just before"
)]
fn millis(seconds: f64) -> i64 {
    (seconds * 1000.0).round() as i64
}

fn answer(
    data: RangeData,
    query: &RangeQuery,
    group: Option<&GroupBy>,
    catalog: &Catalog,
) -> RangeAnswer {
    let unit = |series: &Series| unit_of(catalog, &series.key, series.field.as_str(), series.agg);
    let series = match group {
        Some(by) => group::merge(data.series, by, unit),
        None => data
            .series
            .into_iter()
            .map(|series| RangeSeries {
                entity: series.key.to_string(),
                field: series.field.to_string(),
                unit: unit(&series),
                agg: series.agg,
                labels: convert::labels(&series.labels),
                times: series.times.to_vec(),
                values: series.values.into_iter().map(api_value).collect(),
            })
            .collect(),
    };
    RangeAnswer {
        position: data.position.to_string(),
        from: query.from.as_millis(),
        to: query.to.as_millis(),
        step: window::step_value(query.step),
        tier: data.tier.to_owned(),
        series,
    }
}

fn api_value(value: Option<FieldValue>) -> Option<ApiValue> {
    value.map(ApiValue)
}

fn unit_of(catalog: &Catalog, key: &EntityKey, field: &str, agg: Option<Agg>) -> Unit {
    if agg == Some(Agg::Count) {
        return Unit::Count;
    }
    catalog
        .metric(key.entity_type.as_str(), field)
        .map_or(Unit::None, |metric| metric.unit)
}
