import type { SourceInfo } from '../../api/generated/SourceInfo'
import { formatAgo, formatDuration } from '../../lib/format'
import { sourceTone, stretchText } from '../../lib/source'
import { Dot } from '../Dot'
import styles from './SourceList.module.css'

interface Props {
  readonly sources: readonly SourceInfo[]
  readonly now: number
  /** When anything of a source was last observed, by its name. */
  readonly seen: ReadonlyMap<string, number>
  readonly selected: string | undefined
  readonly onSelect: (source: string | undefined) => void
}

function sinceText({ since, last_event: last, state }: SourceInfo, now: number, seen = 0): string {
  const newest = Math.max(last ?? 0, seen)
  if (state === 'up' || state === 'pushed') return newest === 0 ? state : `${state} · ${formatAgo(now - newest)}`
  return since === null ? state : `${state} since ${formatDuration(Math.max(0, now - since) / 1000)}`
}

function costText(source: SourceInfo): string {
  const { interval_seconds: interval, poll_seconds: poll } = source
  const parts = [
    interval === null ? undefined : `every ${formatDuration(interval)}`,
    stretchText(source),
    poll === null ? undefined : `takes ${formatDuration(poll)}`,
  ]
  return parts.filter(Boolean).join(', ')
}

/** Sources with how they do; choosing one shows only what it sees. */
export function SourceList({ sources, now, seen, selected, onSelect }: Props) {
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
              <Dot tone={sourceTone(source)} />
              <span title={source.name}>{source.display_name ?? source.name}</span>
              <small>{source.kind}</small>
            </span>
            <span className={styles.state}>{sinceText(source, now, seen.get(source.name))}</span>
            {source.reason !== null && source.state !== 'up' && <span className={styles.reason}>{source.reason}</span>}
            {source.finding !== null && <span className={styles.reason}>{source.finding}</span>}
            <span className={styles.cost}>{costText(source)}</span>
          </button>
        </li>
      ))}
    </ul>
  )
}
