import type { EntityState } from '../api/generated/EntityState'
import type { Catalog, Metric } from './catalog'
import { entriesOf } from './record'
import { CAPACITIES } from './words'

/** What says most about a thing, first: words of field names that all integrations share. */
const TELLING: readonly RegExp[] = [
  /^cpu(_used|_usage)?_ratio$/,
  /^(memory|mem)_(used|usage|working_set)?_?(bytes|ratio)$/,
  /used_(bytes|ratio)$/,
  /temperature|celsius$/,
  /(^|_)(rx|received|in)_bytes_total$/,
  /(^|_)(tx|sent|out)_bytes_total$/,
  /read_bytes_total$/,
  /(write|written)_bytes_total$/,
  /_ratio$/,
  /load/,
  /_watts$/,
  /_bytes$/,
  /_total$/,
]

function isCapacity({ field, kind }: Metric): boolean {
  const words = field.split('_')
  return kind === 'gauge' && words.some((word) => CAPACITIES.includes(word))
}

function rank({ field }: Metric): number {
  const place = TELLING.findIndex((pattern) => pattern.test(field))
  return place === -1 ? TELLING.length : place
}

/** The metrics to show of a type of entity where there is little room: numbers only, the most telling first. */
export function headline(catalog: Catalog, entities: readonly EntityState[], count: number): Metric[] {
  const metrics = new Map<string, Metric>()
  for (const { type, fields } of entities) {
    for (const [field, { value }] of entriesOf(fields)) {
      if (!metrics.has(field)) metrics.set(field, catalog.metric(type, field, value))
    }
  }
  return [...metrics.values()]
    .filter((metric) => metric.kind !== 'state' && metric.pattern === metric.field && !isCapacity(metric))
    .toSorted((a, b) => rank(a) - rank(b) || a.field.localeCompare(b.field))
    .slice(0, count)
}

/** The field that holds the whole of which this one is the used part: `memory_used_bytes` → `memory_total_bytes`. */
export function capacityField(field: string, fields: Readonly<Record<string, unknown>>): string | undefined {
  const words = field.split('_')
  const used = words.findIndex((word) => word === 'used' || word === 'usage')
  if (used === -1) return undefined
  return CAPACITIES.map((capacity) => words.with(used, capacity).join('_')).find((name) => name in fields)
}

/** The field that says in one word how the thing is, if it has one. */
export function stateField(entity: EntityState): string | undefined {
  return ['state', 'status', 'health'].find((field) => typeof entity.fields[field]?.value === 'string')
}
