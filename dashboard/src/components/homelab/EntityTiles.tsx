import { Link } from '@tanstack/react-router'
import type { EntityState } from '../../api/generated/EntityState'
import type { Catalog } from '../../lib/catalog'
import { entityName, lastSeen } from '../../lib/entity'
import { formatAgo } from '../../lib/format'
import { headline, stateOf } from '../../lib/headline'
import type { Lab } from '../../lib/lab'
import { entityLink } from '../../lib/links'
import { readingOf } from '../../lib/reading'
import { toneOf, WORSE } from '../../lib/tone'
import styles from './EntityTiles.module.css'
import { StateBadge } from './StateBadge'

interface Props {
  readonly entities: readonly EntityState[]
  readonly catalog: Catalog
  readonly lab: Lab
  readonly now: number
  readonly isQuiet: (entity: EntityState) => boolean
}

/** Many things of which each measures something else: each with its own most telling number, or its state in words. */
export function EntityTiles({ entities, catalog, lab, now, isQuiet }: Props) {
  return (
    <ul className={styles.tiles}>
      {entities.map((entity) => (
        <Tile key={entity.key} entity={entity} catalog={catalog} lab={lab} now={now} isQuiet={isQuiet(entity)} />
      ))}
    </ul>
  )
}

interface TileProps extends Pick<Props, 'catalog' | 'lab' | 'now'> {
  readonly entity: EntityState
  readonly isQuiet: boolean
}

function Tile({ entity, catalog, lab, now, isQuiet }: TileProps) {
  const [metric] = headline(catalog, [entity], 1)
  const state = stateOf(entity)
  // beside a number, only what is wrong is worth its room
  const isTold = state !== undefined && (metric === undefined || WORSE[toneOf(state)] > 0)
  return (
    <li>
      <Link
        {...entityLink(entity.key)}
        className={`${styles.tile} ${isQuiet ? styles.quiet : ''}`}
        title={entityName(entity)}
        data-testid="entity"
        data-entity={entity.key}
      >
        <span className={styles.name}>{entityName(entity)}</span>
        {metric !== undefined && (
          <span className={styles.value} data-testid="value" data-field={metric.field}>
            {readingOf(entity, metric, lab.rate(entity.key, metric.field)).text}
          </span>
        )}
        {isTold && <StateBadge state={state} isQuiet={isQuiet} />}
        {isQuiet && <span className={styles.seen}>seen {formatAgo(now - lastSeen(entity))}</span>}
      </Link>
    </li>
  )
}
