import type { EntityState } from '../../api/generated/EntityState'
import { useTrails } from '../../hooks/useTrails'
import type { Catalog } from '../../lib/catalog'
import { compareEntities, isWhole, typeTitle } from '../../lib/entity'
import { headline, isMixed } from '../../lib/headline'
import type { Lab } from '../../lib/lab'
import { Section } from '../Section'
import { EntityCard } from './EntityCard'
import { EntityTable } from './EntityTable'
import { EntityTiles } from './EntityTiles'
import styles from './TypeSection.module.css'

interface Props {
  readonly type: string
  readonly entities: readonly EntityState[]
  /** All of this type, also those that the search leaves out: the columns stay when a search narrows the rows. */
  readonly all: readonly EntityState[]
  readonly catalog: Catalog
  readonly lab: Lab
  readonly now: number
  readonly isQuiet: (entity: EntityState) => boolean
}

const CARD_METRICS = 6
const TABLE_METRICS = 4

/**
 * All entities of one type. What is looked at first gets cards: hosts, and what a source watches as a whole; all else has rows,
 * or tiles where each measures something else.
 */
export function TypeSection({ type, entities, all, catalog, lab, now, isQuiet }: Props) {
  const isCards = type === 'host' || all.every(isWhole)
  const isTiles = !isCards && isMixed(catalog, all)
  const metrics = headline(catalog, all, isCards ? CARD_METRICS : isTiles ? 0 : TABLE_METRICS)
  useTrails(lab, type, metrics)
  const title = typeTitle(type)
  const sorted = entities.toSorted((a, b) => Number(isQuiet(a)) - Number(isQuiet(b)) || compareEntities(a, b))
  return (
    <Section title={title} count={entities.length}>
      {isCards ? (
        <div className={styles.cards}>
          {sorted.map((entity) => (
            <EntityCard key={entity.key} entity={entity} metrics={metrics} lab={lab} now={now} isQuiet={isQuiet(entity)} />
          ))}
        </div>
      ) : isTiles ? (
        <EntityTiles entities={sorted} catalog={catalog} lab={lab} now={now} isQuiet={isQuiet} />
      ) : (
        <EntityTable title={title} entities={sorted} metrics={metrics} lab={lab} now={now} isQuiet={isQuiet} />
      )}
    </Section>
  )
}
