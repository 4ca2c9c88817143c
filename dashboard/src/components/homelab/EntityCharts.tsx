import { useMemo } from 'react'
import type { Agg } from '../../api/generated/Agg'
import { useHistory } from '../../hooks/useHistory'
import type { Metric } from '../../lib/catalog'
import { stateRank } from '../../lib/headline'
import { panelsOf } from '../../lib/panels'
import type { TimeRange } from '../../lib/range'
import { NO_VALUE } from '../../lib/format'
import { formatValue } from '../../lib/reading'
import { fieldTitle } from '../../lib/words'
import { ErrorNotice, Notice } from '../Notice'
import { Section } from '../Section'
import { Skeleton } from '../Skeleton'
import styles from './EntityCharts.module.css'
import { PanelChart } from './PanelChart'
import { StateBand } from './StateBand'

interface Props {
  readonly entity: string
  /** The entity that tells how the source of this one does. */
  readonly sourceEntity: string
  readonly metrics: readonly Metric[]
  /** Newest value by field. */
  readonly values: Readonly<Record<string, unknown>>
  readonly range: TimeRange
  /** Ends of what is seen, Unix milliseconds. */
  readonly from: number
  readonly to: number
  /** Width of the windows in seconds; without it every sample. */
  readonly step: number | undefined
  /** The same for what the source tells of itself. */
  readonly sourceStep: number | undefined
  readonly markers: readonly number[]
  readonly onSelect: (from: number, to: number) => void
  readonly onReset: () => void
}

/** From this width of windows on, what they hide is shown as a band. */
const BAND_FROM_S = 60
/** The band trebles the answer: entities with more gauges go without. */
const BAND_MAX_FIELDS = 32
const MEAN: readonly Agg[] = ['mean']
const WITH_BAND: readonly Agg[] = ['mean', 'min', 'max']
const RATE: readonly Agg[] = ['rate']
const NOTHING: readonly Metric[] = []
const SOURCE_STATE: readonly Metric[] = [
  { field: 'state', pattern: 'state', unit: 'none', kind: 'state', value: 'text', help: 'How the source did that observes this' },
]

/** All numbers of an entity as charts and all states as bands, arranged from the catalogue alone. */
export function EntityCharts(props: Props) {
  const { entity, sourceEntity, metrics, values, range, from, to, step, sourceStep, markers, onSelect, onReset } = props
  const levels = useMemo(() => metrics.filter(({ kind }) => kind !== 'counter'), [metrics])
  const counters = useMemo(() => metrics.filter(({ kind }) => kind === 'counter'), [metrics])
  const panels = useMemo(() => panelsOf(metrics), [metrics])
  const isBanded = (step ?? 0) >= BAND_FROM_S && levels.length <= BAND_MAX_FIELDS
  const gauge = useHistory({ entity, metrics: levels, range, step, aggs: isBanded ? WITH_BAND : MEAN })
  const rate = useHistory({ entity, metrics: counters, range, step, aggs: RATE })
  const source = useHistory({
    entity: sourceEntity,
    metrics: sourceEntity === entity ? NOTHING : SOURCE_STATE,
    range,
    step: sourceStep,
    aggs: MEAN,
  })
  const sourceSpans = source.history?.states.get('state')?.spans ?? []
  const states = levels
    .filter(({ kind }) => kind === 'state')
    .toSorted((a, b) => stateRank(a.field) - stateRank(b.field))
  const failed = [gauge, rate].find(({ error }) => error !== null)

  if (failed) return <ErrorNotice title="The history could not be loaded" error={failed.error} retry={failed.retry} />
  if (metrics.length === 0) {
    return (
      <Notice icon="inbox" title="Nothing was read in this range">
        <p>Choose a longer range to see what came before.</p>
      </Notice>
    )
  }
  if (gauge.isPending || rate.isPending) return <ChartsSkeleton count={panels.length} />
  return (
    <>
      {states.length + sourceSpans.length > 0 && (
        <Section title="State">
          <dl className={styles.states}>
            {states.map((metric) => (
              <StateBand
                key={metric.field}
                label={fieldTitle(metric.field)}
                help={metric.help}
                field={metric.field}
                current={formatValue(metric, values[metric.field])}
                spans={gauge.history?.states.get(metric.field)?.spans ?? []}
                from={from}
                to={to}
              />
            ))}
            {sourceSpans.length > 0 && (
              <StateBand
                label="Source"
                help={SOURCE_STATE[0]?.help ?? ''}
                field="source"
                current={sourceSpans.at(-1)?.value ?? NO_VALUE}
                spans={sourceSpans}
                from={from}
                to={to}
              />
            )}
          </dl>
        </Section>
      )}
      {panels.length > 0 && (
        <Section title="History">
          <div className={styles.charts}>
            {panels.map((panel) => {
              const history = panel.isRate ? rate.history : gauge.history
              return (
                history && (
                  <PanelChart
                    key={panel.id}
                    panel={panel}
                    values={values}
                    history={history}
                    version={history.version}
                    from={from}
                    to={to}
                    markers={markers}
                    onSelect={onSelect}
                    onReset={onReset}
                  />
                )
              )
            })}
          </div>
        </Section>
      )}
    </>
  )
}

function ChartsSkeleton({ count }: { readonly count: number }) {
  return (
    <div className={styles.charts} role="status" aria-label="Loading the history">
      {Array.from({ length: Math.min(6, Math.max(2, count)) }, (_, index) => (
        <Skeleton key={index} height="15rem" />
      ))}
    </div>
  )
}
