import { Link } from '@tanstack/react-router'
import type { SourceInfo } from '../../api/generated/SourceInfo'
import { sourceEntityKey } from '../../lib/entity'
import { failureOf } from '../../lib/failure'
import { formatAgo, formatDuration, formatPoll, NO_VALUE } from '../../lib/format'
import { entityLink } from '../../lib/links'
import { busyText, compareSources, sourceName, sourceTone, stateAge, stretchText } from '../../lib/source'
import { Dot } from '../Dot'
import styles from './SourceTable.module.css'

interface Props {
  readonly sources: readonly SourceInfo[]
  readonly now: number
}

/** Every source: how it does, what went wrong and what to do, and what watching it costs. */
export function SourceTable({ sources, now }: Props) {
  return (
    <div className={styles.frame}>
      <table className={styles.table} aria-label="Sources">
        <thead>
          <tr>
            <th scope="col">Source</th>
            <th scope="col">State</th>
            <th scope="col" className={styles.number}>Last seen</th>
            <th scope="col" className={styles.number} title="Time between polls; longer than configured while the service is slow or does not answer">
              Asked every
            </th>
            <th scope="col" className={styles.number} title="How long a poll takes, in which share of the time the service is being asked, and in which it may be before it is asked less often">
              A poll takes
            </th>
            <th scope="col" className={styles.number}>Entities</th>
          </tr>
        </thead>
        {sources.toSorted(compareSources).map((source) => (
          <Rows key={source.name} source={source} now={now} />
        ))}
      </table>
    </div>
  )
}

function seconds(value: number | null): string {
  return value === null ? NO_VALUE : formatDuration(value)
}

function Rows({ source, now }: { readonly source: SourceInfo; readonly now: number }) {
  const { name, kind, agent, state, reason, class: failure, fix, finding, last_event: seen } = source
  const age = stateAge(source, now)
  const stretch = stretchText(source)
  const busy = busyText(source)
  const skew = source.skew_seconds === null || Math.abs(source.skew_seconds) < 1 ? undefined : source.skew_seconds
  const hasProblem = (state === 'down' || state === 'stale') && (reason !== null || failure !== null)
  return (
    <tbody className={styles.source} data-testid="source-row" data-source={name} data-state={state}>
      <tr>
        <th scope="row" className={styles.name}>
          {state === 'pushed' ? (
            <Link to="/" search={{ source: name }} title={name}>{sourceName(source)}</Link>
          ) : (
            <Link {...entityLink(sourceEntityKey(name))} title={name}>{sourceName(source)}</Link>
          )}
          <span className={styles.about}>{agent === null ? kind : `${kind}, by ${agent}`}</span>
        </th>
        <td className={styles.state}>
          <span>
            <Dot tone={sourceTone(source)} /> {state}
          </span>
          {age !== undefined && <small>{age}</small>}
        </td>
        <td className={styles.number} data-label="Last seen">
          {seen === null ? NO_VALUE : formatAgo(now - seen)}
          {skew !== undefined && (
            <small className={styles.odd} title="Its times are corrected; better set its clock">
              clock {formatDuration(Math.abs(skew))} {skew > 0 ? 'ahead' : 'behind'}
            </small>
          )}
        </td>
        <td className={styles.number} data-label="Asked every">
          {seconds(source.interval_seconds)}
          {stretch !== undefined && <small className={styles.odd}>{stretch}</small>}
        </td>
        <td className={styles.number} data-label="A poll takes">
          {source.poll_seconds === null ? NO_VALUE : formatPoll(source.poll_seconds)}
          {busy !== undefined && <small>{busy}</small>}
        </td>
        <td className={styles.number} data-label="Entities">{source.entities}</td>
      </tr>
      {hasProblem && (
        <tr className={styles.problem}>
          <td colSpan={6}>
            {failure !== null && <strong data-testid="failure-class">{failureOf(failure).title}</strong>}
            {reason !== null && <p data-testid="failure-reason">{reason}</p>}
            {fix !== null && <p data-testid="failure-fix">What to do: {fix}.</p>}
            {failure !== null && <small>{failureOf(failure).policy}</small>}
          </td>
        </tr>
      )}
      {finding !== null && (
        <tr className={`${styles.problem} ${styles.found}`}>
          <td colSpan={6}>
            <strong>Works, and finds what it watches down</strong>
            <p data-testid="finding">{finding}</p>
          </td>
        </tr>
      )}
    </tbody>
  )
}
