import { Link } from '@tanstack/react-router'
import type { SourceInfo } from '../../api/generated/SourceInfo'
import { formatAgo, formatDuration, formatPoll } from '../../lib/format'
import { compareSources, needsLook, sourceName, sourceTone, stretchText, tally } from '../../lib/source'
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

/** Sources of which nothing is said but their names, and that need nobody; the others have a page. */
const WELL = 24
/** Sources that are told in full; a whole network that is gone must not hide what is still seen. */
const FAILING = 6

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
    poll === null ? undefined : `takes ${formatPoll(poll)}`,
  ]
  return parts.filter(Boolean).join(', ')
}

/** Sources with how they do: those that need a look in full, of the others the names. Choosing one shows only what it sees. */
export function SourceList({ sources, now, seen, selected, onSelect }: Props) {
  const inOrder = sources.toSorted(compareSources)
  const failing = inOrder.filter(needsLook)
  const told = failing.filter(({ name }, index) => index < FAILING || name === selected)
  // what is chosen is in sight, also where the names are one row that is moved sideways
  const well = inOrder.filter((source) => !needsLook(source))
  const first = well.toSorted((a, b) => Number(b.name === selected) - Number(a.name === selected))
  const named = first.slice(0, WELL)
  const button = (source: SourceInfo) => ({
    'aria-pressed': selected === source.name,
    onClick: () => onSelect(selected === source.name ? undefined : source.name),
    'data-testid': 'source',
    'data-source': source.name,
    'data-state': source.state,
  })
  return (
    <>
      <p className={styles.tally} data-testid="source-tally">
        {tally(sources)}
        {told.length + named.length < sources.length && (
          <>
            {' · '}
            <Link to="/sources">All {sources.length} sources</Link>
          </>
        )}
      </p>
      {told.length > 0 && (
        <ul className={styles.failing} aria-label="Sources that need a look">
          {told.map((source) => (
            <li key={source.name}>
              <button type="button" {...button(source)} className={`${styles.source} ${styles[source.state] ?? ''}`}>
                <span className={styles.name}>
                  <Dot tone={sourceTone(source)} />
                  <span title={source.name}>{sourceName(source)}</span>
                  <small>{source.kind}</small>
                </span>
                <span className={styles.state}>{sinceText(source, now, seen.get(source.name))}</span>
                {source.reason !== null && source.state !== 'up' && <span className={styles.reason}>{source.reason}</span>}
                {source.finding !== null && <span className={styles.finding}>{source.finding}</span>}
                <span className={styles.cost}>{costText(source)}</span>
              </button>
            </li>
          ))}
        </ul>
      )}
      {named.length > 0 && (
        <ul className={styles.well} aria-label="Sources that are well">
          {named.map((source) => (
            <li key={source.name}>
              <button
                type="button"
                {...button(source)}
                className={styles.chip}
                title={[`${source.name} (${source.kind})`, sinceText(source, now, seen.get(source.name)), costText(source)].filter(Boolean).join('\n')}
              >
                <Dot tone={sourceTone(source)} />
                <span>{sourceName(source)}</span>
                {source.state !== 'up' && <small>{source.state}</small>}
              </button>
            </li>
          ))}
        </ul>
      )}
    </>
  )
}
