import type { EntityState } from '../../api/generated/EntityState'
import type { SourceInfo } from '../../api/generated/SourceInfo'
import { useLab } from '../../hooks/useLab'
import { groupByType, isQuiet } from '../../lib/entity'
import { TypeSection } from './TypeSection'

interface Props {
  readonly entity: EntityState
  readonly now: number
  readonly source: SourceInfo | undefined
}

/** What else its source sees, of other types: the disks, interfaces and sensors of a host. */
export function RelatedEntities({ entity, now, source }: Props) {
  const { lab, catalog, entities } = useLab(entity.source)
  if (!lab || !catalog) return null
  const related = entities.filter(({ type }) => type !== entity.type && type !== 'source')
  return groupByType(related).map(([type, group]) => (
    <TypeSection
      key={type}
      type={type}
      entities={group}
      all={group}
      catalog={catalog}
      lab={lab}
      now={now}
      isQuiet={(one) => isQuiet(one, now, source)}
    />
  ))
}
