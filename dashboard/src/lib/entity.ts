import type { ApiEvent } from '../api/generated/ApiEvent'
import type { EntityState } from '../api/generated/EntityState'
import type { SourceInfo } from '../api/generated/SourceInfo'
import { entriesOf } from './record'
import { capitalise, speak } from './words'

/** What a person calls it. */
export function entityName(entity: Pick<EntityState, 'labels' | 'id'>): string {
  return entity.labels.name ?? entity.id
}

/** Every source tells this often how it does, and whenever that changes. */
export const SOURCE_TELLS_S = 60

/** Key of the entity by which a source tells how it does. */
export function sourceEntityKey(source: string): string {
  return `${source}/source/${encodeURIComponent(source)}`
}

/** Whether an event says that everything of its source that came before is purged. */
export function isPurge(event: ApiEvent): boolean {
  return event.type === 'source' && event.entity.key === sourceEntityKey(event.source) && event.fields.state === 'purged'
}

/** Whether it is what its source watches as a whole, rather than one of the things in it. */
export function isWhole({ id, source }: Pick<EntityState, 'id' | 'source'>): boolean {
  return id === source
}

/** Hosts first, then containers, then what sources watch as a whole, then all other types by name. */
const FIRST_TYPES = ['host', 'container']

function typeRank(type: string, entities: readonly EntityState[]): number {
  const rank = FIRST_TYPES.indexOf(type)
  if (rank !== -1) return rank
  return FIRST_TYPES.length + (entities.every(isWhole) ? 0 : 1)
}

const byName = new Intl.Collator('en', { numeric: true, sensitivity: 'base' })

export function compareEntities(a: EntityState, b: EntityState): number {
  return byName.compare(entityName(a), entityName(b)) || byName.compare(a.key, b.key)
}

/** When anything of it was last observed, Unix milliseconds; 0 for never. */
export function lastSeen(entity: EntityState): number {
  return entriesOf(entity.fields).reduce((latest, [, { time }]) => Math.max(latest, time), 0)
}

/** Readings this much older than the newest of their entity are not part of what is measured now. */
const CURRENT_MS = 10 * 60_000

/** Whether a field is still read, rather than told once by a change: an exit code, a former name. */
export function isCurrent(entity: EntityState, field: string): boolean {
  const time = entity.fields[field]?.time
  return time !== undefined && time >= lastSeen(entity) - CURRENT_MS
}

/**
 * The fields to draw of an entity: without those whose newest reading is one of its changes and that were not read
 * since, and without those that were last read before the range.
 */
export function drawnFields(entity: EntityState, from: number, changes: ReadonlySet<number>, intervalSeconds: number): string[] {
  const settled = lastSeen(entity) - Math.max(QUIET_AT_LEAST_MS, QUIET_INTERVALS * intervalSeconds * 1000)
  return entriesOf(entity.fields)
    .filter(([, { time }]) => time >= from && !(changes.has(time) && time < settled))
    .map(([field]) => field)
    .toSorted()
}

/** Times of the usual interval after which a thing counts as not seen any more. */
const QUIET_INTERVALS = 4
const QUIET_AT_LEAST_MS = 60_000
const LATE_MS = 2 * 60_000

/** What is asked beside the polls, such as the disks of a NAS, has a clock of its own that is as slow as this, and a margin. */
const SLOWEST_CLOCK_MS = 70 * 60_000

/** Whether nothing was heard of it for longer than its source allows: one that is up may ask for some things seldom. */
export function isQuiet(entity: EntityState, now: number, source: SourceInfo | undefined): boolean {
  const atLeast = source?.state === 'up' || source?.state === 'pushed' ? SLOWEST_CLOCK_MS : QUIET_AT_LEAST_MS
  return now - lastSeen(entity) > Math.max(atLeast, QUIET_INTERVALS * (source?.interval_seconds ?? 0) * 1000)
}

/** Whether it is worth saying when it was last heard of. */
export function isLate(entity: EntityState, now: number): boolean {
  return now - lastSeen(entity) > LATE_MS
}

/** Whether name, key or a label has the words that are searched for, in any order. */
export function matchesSearch(entity: EntityState, search: string): boolean {
  const words = search.toLowerCase().split(/\s+/).filter(Boolean)
  if (words.length === 0) return true
  const text = [entity.source, entity.type, entity.id, ...entriesOf(entity.labels).map(([, value]) => value)]
    .join(' ')
    .toLowerCase()
  return words.every((word) => text.includes(word))
}

/** The entity after an event: later values win, older ones change nothing. */
export function applyEvent(entity: EntityState | undefined, event: ApiEvent): EntityState {
  const time = Date.parse(event.time)
  const { key, type, id, labels } = event.entity
  const fields = { ...entity?.fields }
  for (const [field, value] of entriesOf(event.fields)) {
    if ((fields[field]?.time ?? Number.NEGATIVE_INFINITY) <= time) fields[field] = { value, time }
  }
  return { key, source: event.source, type, id, labels: { ...entity?.labels, ...labels }, fields }
}

/** Entities by type, the most comprehensive first. */
export function groupByType(entities: readonly EntityState[]): [string, EntityState[]][] {
  const groups = new Map<string, EntityState[]>()
  for (const entity of entities) {
    const group = groups.get(entity.type)
    if (group) group.push(entity)
    else groups.set(entity.type, [entity])
  }
  return [...groups].toSorted(
    ([a, ofA], [b, ofB]) => typeRank(a, ofA) - typeRank(b, ofB) || a.localeCompare(b),
  )
}

/** One plural for headings: `host` → `Hosts`. */
export function typeTitle(type: string): string {
  const words = speak(type.split('_'))
  const plural = words === words.toUpperCase() || words === 'Prometheus' ? words : /(s|x|ch|sh)$/.test(words) ? `${words}es` : /[^aeiou]y$/.test(words) ? `${words.slice(0, -1)}ies` : `${words}s`
  return capitalise(plural)
}
