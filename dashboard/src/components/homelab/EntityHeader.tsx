import { Link } from '@tanstack/react-router'
import type { EntityState } from '../../api/generated/EntityState'
import type { SourceInfo } from '../../api/generated/SourceInfo'
import { entityName, isQuiet, lastSeen } from '../../lib/entity'
import { formatAgo } from '../../lib/format'
import { stateOf } from '../../lib/headline'
import { entriesOf } from '../../lib/record'
import { sourceTone } from '../../lib/source'
import { speak } from '../../lib/words'
import { Dot } from '../Dot'
import { Icon } from '../Icon'
import styles from './EntityHeader.module.css'
import { StateBadge } from './StateBadge'

interface Props {
  readonly entity: EntityState
  readonly source: SourceInfo | undefined
  readonly now: number
}

/** What it is, how it is, who sees it, and the slow facts about it. */
export function EntityHeader({ entity, source, now }: Props) {
  const state = stateOf(entity)
  const name = entityName(entity)
  const labels = entriesOf(entity.labels).filter(([label, value]) => label !== 'name' || value !== name)
  return (
    <header className={styles.header}>
      <nav aria-label="Breadcrumb" className={styles.path}>
        <Link to="/">
          <Icon name="back" size={12} /> Overview
        </Link>
        <span aria-hidden="true">/</span>
        <span>{speak(entity.type.split('_'))}</span>
      </nav>
      <div className={styles.title}>
        <h1>{name}</h1>
        {state !== undefined && <StateBadge state={state} isQuiet={isQuiet(entity, now, source)} />}
        <span className={styles.seen}>seen {formatAgo(now - lastSeen(entity))}</span>
      </div>
      <dl className={styles.labels} aria-label="Labels">
        <div>
          <dt>source</dt>
          <dd className={styles.source}>
            {source && <Dot tone={sourceTone(source)} />}
            <Link to="/" search={{ source: entity.source }}>
              {entity.source}
            </Link>
          </dd>
        </div>
        {labels.map(([label, value]) => (
          <div key={label}>
            <dt>{speak(label.split('_'))}</dt>
            <dd title={value}>{value}</dd>
          </div>
        ))}
      </dl>
      {source?.state === 'down' && (
        <p className={styles.down} role="status">
          <Icon name="alert" /> {source.name} is down{source.reason === null ? '' : `: ${source.reason}`}
        </p>
      )}
      {source !== undefined && source.finding !== null && entity.type === 'source' && (
        <p className={`${styles.down} ${styles.found}`} role="status">
          <Icon name="alert" /> {source.name} works, and finds what it watches down: {source.finding}
        </p>
      )}
    </header>
  )
}
