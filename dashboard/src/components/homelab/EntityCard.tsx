import { Link } from '@tanstack/react-router'
import type { EntityState } from '../../api/generated/EntityState'
import type { Metric } from '../../lib/catalog'
import { entityName, lastSeen } from '../../lib/entity'
import { formatAgo } from '../../lib/format'
import { stateOf } from '../../lib/headline'
import type { Lab } from '../../lib/lab'
import { entityLink } from '../../lib/links'
import { readingOf } from '../../lib/reading'
import { fieldTitle } from '../../lib/words'
import styles from './EntityCard.module.css'
import { Sparkline } from './Sparkline'
import { StateBadge } from './StateBadge'

interface Props {
  readonly entity: EntityState
  readonly metrics: readonly Metric[]
  readonly lab: Lab
  readonly now: number
  readonly isQuiet: boolean
}

/** One thing with its most telling numbers and their recent course. */
export function EntityCard({ entity, metrics, lab, now, isQuiet }: Props) {
  const state = stateOf(entity)
  const about = [entity.labels.os ?? entity.labels.image, entity.labels.model].filter(Boolean).join(' · ')
  return (
    <Link
      {...entityLink(entity.key)}
      className={`${styles.card} ${isQuiet ? styles.quiet : ''}`}
      data-testid="entity"
      data-entity={entity.key}
    >
      <div className={styles.head}>
        <h3 className={styles.name}>{entityName(entity)}</h3>
        {isQuiet ? (
          <span className={styles.seen}>seen {formatAgo(now - lastSeen(entity))}</span>
        ) : (
          state !== undefined && <StateBadge state={state} isQuiet={isQuiet} />
        )}
        <p className={styles.about}>{about || entity.source}</p>
      </div>
      <dl className={styles.metrics}>
        {metrics
          .filter(({ field }) => field in entity.fields)
          .map((metric) => {
            const { text, whole } = readingOf(entity, metric, lab.rate(entity.key, metric.field))
            return (
              <div key={metric.field} className={styles.metric}>
                <dt>{fieldTitle(metric.field)}</dt>
                <dd>
                  <span className={styles.value}>
                    <span data-testid="value" data-field={metric.field}>
                      {text}
                    </span>
                    {whole !== undefined && <small>{whole}</small>}
                  </span>
                  <span className={styles.spark}>
                    <Sparkline metric={metric} trail={lab.trail(entity.key)} now={now} />
                  </span>
                </dd>
              </div>
            )
          })}
      </dl>
    </Link>
  )
}
