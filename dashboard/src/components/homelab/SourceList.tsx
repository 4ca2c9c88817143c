import type { SourceInfo } from '../../api/generated/SourceInfo'
import { formatAgo, formatDuration } from '../../lib/format'
import { SOURCE_TONES } from '../../lib/tone'
import { Dot } from '../Dot'
import styles from './SourceList.module.css'

interface Props {
  readonly sources: readonly SourceInfo[]
  readonly now: number
  readonly selected: string | undefined
  readonly onSelect: (source: string | undefined) => void
}

function sinceText({ since, last_event: last, state }: SourceInfo, now: number): string {
  if (state === 'up') return last === null ? 'up' : `up · ${formatAgo(now - last)}`
  if (state === 'pushed') return last === null ? 'pushed' : `pushed · ${formatAgo(now - last)}`
  return since === null ? state : `${state} since ${formatDuration(Math.max(0, now - since) / 1000)}`
}

function costText({ interval_seconds: interval, poll_seconds: poll }: SourceInfo): string {
  const parts = [
    interval === null ? undefined : `every ${formatDuration(interval)}`,
    poll === null ? undefined : `takes ${formatDuration(poll)}`,
  ]
  return parts.filter(Boolean).join(', ')
}

/** Every source with how it does; choosing one shows only what it sees. */
export function SourceList({ sources, now, selected, onSelect }: Props) {
  return (
    <ul className={styles.list}>
      {sources.map((source) => (
        <li key={source.name}>
          <button
            type="button"
            className={`${styles.source} ${styles[source.state] ?? ''}`}
            aria-pressed={selected === source.name}
            onClick={() => onSelect(selected === source.name ? undefined : source.name)}
            data-testid="source"
            data-source={source.name}
            data-state={source.state}
          >
            <span className={styles.name}>
              <Dot tone={SOURCE_TONES[source.state]} />
              <span>{source.name}</span>
              <small>{source.kind}</small>
            </span>
            <span className={styles.state}>{sinceText(source, now)}</span>
            {source.reason !== null && source.state !== 'up' && <span className={styles.reason}>{source.reason}</span>}
            <span className={styles.cost}>{costText(source)}</span>
          </button>
        </li>
      ))}
    </ul>
  )
}
