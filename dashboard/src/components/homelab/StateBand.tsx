import { formatInstant } from '../../lib/time'
import type { StateSpan } from '../../lib/states'
import { toneOf } from '../../lib/tone'
import styles from './StateBand.module.css'

interface Props {
  readonly label: string
  readonly help: string
  readonly field: string
  readonly current: string
  readonly spans: readonly StateSpan[]
  readonly from: number
  readonly to: number
}

/** Which of its values a state had when, and which it has now. */
export function StateBand({ label, help, field, current, spans, from, to }: Props) {
  const last = spans.at(-1)
  return (
    <div className={styles.row} title={help}>
      <dt className={styles.label}>{label}</dt>
      <dd className={styles.current} data-testid="state-value" data-field={field}>
        {current}
      </dd>
      <div className={styles.band} aria-hidden="true">
        {spans.map((span) => {
          const start = Math.max(from, span.from)
          const end = Math.min(to, span === last ? Math.max(span.to, to) : span.to)
          if (end <= start || span.value === undefined) return null
          return (
            <span
              key={`${span.from} ${span.value}`}
              className={`${styles.span} ${styles[toneOf(span.value)]}`}
              style={{ left: `${((start - from) / (to - from)) * 100}%`, width: `${((end - start) / (to - from)) * 100}%` }}
              title={`${span.value}: ${formatInstant(span.from)} to ${span === last ? 'now' : formatInstant(span.to)}`}
            />
          )
        })}
      </div>
    </div>
  )
}
