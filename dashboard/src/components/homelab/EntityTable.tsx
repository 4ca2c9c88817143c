import { Link } from '@tanstack/react-router'
import type { EntityState } from '../../api/generated/EntityState'
import type { Metric } from '../../lib/catalog'
import { entityName, isLate, lastSeen } from '../../lib/entity'
import { formatAgo, formatNumber } from '../../lib/format'
import { stateOf } from '../../lib/headline'
import type { Lab } from '../../lib/lab'
import { entityLink } from '../../lib/links'
import { readingOf } from '../../lib/reading'
import { fieldTitle } from '../../lib/words'
import styles from './EntityTable.module.css'
import { Sparkline } from './Sparkline'
import { StateBadge } from './StateBadge'

interface Props {
  readonly title: string
  readonly entities: readonly EntityState[]
  readonly metrics: readonly Metric[]
  readonly lab: Lab
  readonly now: number
  readonly isQuiet: (entity: EntityState) => boolean
}

/** Lines with a course of their own; the others are numbers only. */
const WITH_SPARKLINE = 2

/** Many things of one type, one row each. */
export function EntityTable({ title, entities, metrics, lab, now, isQuiet }: Props) {
  const hasState = entities.some((entity) => stateOf(entity) !== undefined)
  return (
    <div className={styles.frame}>
      <table className={styles.table} aria-label={title}>
        <thead>
          <tr>
            <th scope="col">Name</th>
            {hasState && <th scope="col">State</th>}
            {metrics.map((metric) => (
              <th key={metric.field} scope="col" className={styles.number} title={metric.help}>
                {fieldTitle(metric.field)}
              </th>
            ))}
          </tr>
        </thead>
        <tbody>
          {entities.map((entity) => (
            <Row
              key={entity.key}
              entity={entity}
              metrics={metrics}
              lab={lab}
              now={now}
              isQuiet={isQuiet(entity)}
              hasState={hasState}
            />
          ))}
        </tbody>
      </table>
    </div>
  )
}

interface RowProps extends Pick<Props, 'metrics' | 'lab' | 'now'> {
  readonly entity: EntityState
  readonly isQuiet: boolean
  readonly hasState: boolean
}

function Row({ entity, metrics, lab, now, isQuiet, hasState }: RowProps) {
  const state = stateOf(entity)
  const seen = `seen ${formatAgo(now - lastSeen(entity))}`
  const about = entity.labels.image ?? entity.source
  return (
    <tr className={isQuiet ? styles.quiet : undefined} data-testid="entity" data-entity={entity.key}>
      <th scope="row" className={styles.name}>
        <Link {...entityLink(entity.key)}>{entityName(entity)}</Link>
        <span className={styles.about}>
          {isQuiet ? seen : isLate(entity, now) ? `${about} · ${seen}` : about}
        </span>
      </th>
      {hasState && (
        <td className={styles.state}>
          {state !== undefined && <StateBadge state={state} isQuiet={isQuiet} />}
        </td>
      )}
      {metrics.map((metric, index) => {
        const has = metric.field in entity.fields
        const { text, whole, part } = readingOf(entity, metric, lab.rate(entity.key, metric.field))
        return (
          <td key={metric.field} className={styles.number} data-label={fieldTitle(metric.field)}>
            <div className={styles.cell}>
              {has && index < WITH_SPARKLINE && (
                <span className={styles.spark}>
                  <Sparkline metric={metric} trail={lab.trail(entity.key)} now={now} />
                </span>
              )}
              <span className={styles.value} title={whole}>
                <span data-testid="value" data-field={metric.field}>
                  {text}
                </span>
                {whole !== undefined && metric.unit !== 'ratio' && <small>{formatNumber(part ?? 0, 'ratio')}</small>}
              </span>
            </div>
          </td>
        )
      })}
    </tr>
  )
}
