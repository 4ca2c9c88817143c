import type { EntityState } from '../api/generated/EntityState'
import type { Catalog, Metric } from './catalog'
import { isCurrent } from './entity'
import { entriesOf } from './record'
import { toneOf, WORSE } from './tone'
import { CAPACITIES, DIRECTIONS, fieldWords } from './words'

/** What says most about a thing, first: words of field names that all integrations share. */
const TELLING: readonly RegExp[] = [
  /^cpu(_used|_usage)?_ratio$/,
  /^(memory|mem)_(used|usage|working_set)?_?(bytes|ratio)$/,
  /^(?!swap).*used_(bytes|ratio)$/,
  /temperature|celsius$/,
  /(^|_)(rx|received|in)_bytes_(total|per_second)$/,
  /(^|_)(tx|sent|out)_bytes_(total|per_second)$/,
  /read_bytes_(total|per_second)$/,
  /(write|written)_bytes_(total|per_second)$/,
  /_ratio$/,
  /^load/,
  /_watts$/,
  /_bytes$/,
  /_total$/,
]

const byField = new Intl.Collator('en', { numeric: true })

function isCapacity({ field, kind }: Metric): boolean {
  const words = field.split('_')
  return kind === 'gauge' && words.some((word) => CAPACITIES.includes(word))
}

function rank({ field }: Metric): number {
  const place = TELLING.findIndex((pattern) => pattern.test(field))
  return place === -1 ? TELLING.length : place
}

/**
 * The metrics to show of a type of entity where there is little room: numbers only, the most telling first. Under a `count`
 * of `Infinity` they are all that say something of their own.
 */
export function headline(catalog: Catalog, entities: readonly EntityState[], count: number): Metric[] {
  const metrics = new Map<string, Metric>()
  for (const entity of entities) {
    for (const [field, { value }] of entriesOf(entity.fields)) {
      if (metrics.has(field) || !isCurrent(entity, field)) continue
      metrics.set(field, catalog.metric(entity.type, field, value))
    }
  }
  const numbers = [...metrics.values()].filter((metric) => metric.kind !== 'state' && !isCapacity(metric))
  const ownNames = numbers.filter((metric) => metric.pattern === metric.field)
  // one of many of a pattern says little, but of what has nothing else more than nothing
  const ranked = (ownNames.length > 0 ? ownNames : numbers).toSorted((a, b) => rank(a) - rank(b) || byField.compare(a.field, b.field))
  return oneOfEach(ranked).slice(0, count)
}

/** More metrics than this many times those of the one that has most are too many for one table. */
const TABLE_SPREAD = 2
/** So few fit into any table. */
const TABLE_ANYWAY = 4

/** Whether entities of one type measure different things, each something else: a table of them would be empty. */
export function isMixed(catalog: Catalog, entities: readonly EntityState[]): boolean {
  const all = headline(catalog, entities, Infinity)
  // whoever names its fields itself names those of each thing otherwise
  if (all.length > 0 && all.every((metric) => metric.pattern !== metric.field)) return true
  if (all.length <= TABLE_ANYWAY) return false
  return entities.every((entity) => headline(catalog, [entity], Infinity).length * TABLE_SPREAD <= all.length)
}

/** Leaves out what says the same in another unit (`memory_used_ratio`) or is more of the same (`load_5`, `load_15`). */
function oneOfEach(ranked: readonly Metric[]): Metric[] {
  const said = new Set<string>()
  return ranked.filter(({ field, unit, kind }) => {
    const words = fieldWords(field)
    const topic = words.some((word) => DIRECTIONS.has(word)) ? words.join(' ') : (words[0] ?? field)
    const keys = [words.join(' '), `${topic} ${unit} ${kind}`]
    const isNew = !keys.some((key) => said.has(key))
    for (const key of keys) said.add(key)
    return isNew
  })
}

/**
 * The field that holds the whole of which this one is a part: `memory_used_bytes` → `memory_total_bytes`, `cpu_ratio` →
 * `cpu_limit_ratio`.
 */
export function capacityField(field: string, has: (field: string) => boolean): string | undefined {
  const words = field.split('_')
  const used = words.findIndex((word) => word === 'used' || word === 'usage')
  const unit = words.length - 1
  return CAPACITIES.map((capacity) =>
    (used === -1 ? words.toSpliced(unit, 0, capacity) : words.with(used, capacity)).join('_'),
  ).find((name) => name !== field && has(name))
}

const MAIN_STATES = ['state', 'status', 'health', 'availability']

/** Other states that may tell that something is wrong: `smart_status`, but not what was before a change. */
const MORE_STATES = /^(?!old_|new_).+_(state|status|health)$/

/** States that tell how the thing is come before its other states. */
export function stateRank(field: string): number {
  const place = MAIN_STATES.indexOf(field)
  return place === -1 ? MAIN_STATES.length : place
}

/** How the thing is in one word, if it says so: of several words the first that asks most to be looked at. */
export function stateOf(entity: EntityState): string | undefined {
  const field = stateField(entity)
  if (field !== undefined) return String(entity.fields[field]?.value)
  const up = entity.fields.up?.value
  return typeof up === 'boolean' ? (up ? 'up' : 'down') : undefined
}

/** The field that has that word. */
export function stateField(entity: EntityState): string | undefined {
  const alarm = (field: string) => (isCurrent(entity, field) ? WORSE[toneOf(entity.fields[field]?.value)] : 0)
  const more = Object.keys(entity.fields).filter((field) => MORE_STATES.test(field) && alarm(field) > 0)
  const known = [...MAIN_STATES, ...more].filter((field) => typeof entity.fields[field]?.value === 'string')
  return known.toSorted((a, b) => alarm(b) - alarm(a))[0]
}
