import type { CatalogMetric } from '../api/generated/CatalogMetric'
import type { MetricKind } from '../api/generated/MetricKind'
import type { Unit } from '../api/generated/Unit'
import type { ValueType } from '../api/generated/ValueType'

/** Units that the catalogue has no name for, but the field has: `rx_bytes_per_second`. */
type RateUnit = 'bytes_per_second' | 'bits_per_second'

/** What is known about one field of one type of entity. */
export interface Metric {
  readonly field: string
  /** The field, or the pattern that it matched, such as `cpu_*_ratio`. */
  readonly pattern: string
  readonly unit: Unit | RateUnit
  readonly kind: MetricKind
  readonly value: ValueType
  readonly help: string
}

function unitOf(field: string, unit: Unit): Unit | RateUnit {
  const [, amount] = /(?:^|_)(bytes|bits)_per_second$/.exec(field) ?? []
  return unit === 'none' && amount !== undefined ? (`${amount}_per_second` as RateUnit) : unit
}

interface Pattern {
  readonly before: string
  readonly after: string
  readonly metric: CatalogMetric
}

interface OfType {
  readonly exact: Map<string, CatalogMetric>
  readonly patterns: Pattern[]
}

/** Looks metrics up by type of entity and field. */
export class Catalog {
  readonly #types = new Map<string, OfType>()

  constructor(metrics: readonly CatalogMetric[]) {
    for (const metric of metrics) {
      const ofType: OfType = this.#types.get(metric.entity_type) ?? { exact: new Map(), patterns: [] }
      this.#types.set(metric.entity_type, ofType)
      const star = metric.field.indexOf('*')
      if (star === -1) ofType.exact.set(metric.field, metric)
      else ofType.patterns.push({ before: metric.field.slice(0, star), after: metric.field.slice(star + 1), metric })
    }
  }

  /** A field that the catalogue does not know yet (it was pushed a moment ago) is a plain gauge or state. */
  metric(type: string, field: string, sample?: unknown): Metric {
    const found = this.#find(type, field)
    if (found) return { ...found, field, pattern: found.field, unit: unitOf(field, found.unit) }
    const isNumber = typeof sample === 'number' || sample === undefined
    return {
      field,
      pattern: field,
      unit: unitOf(field, 'none'),
      kind: isNumber ? 'gauge' : 'state',
      value: isNumber ? 'float' : typeof sample === 'boolean' ? 'bool' : 'text',
      help: '',
    }
  }

  #find(type: string, field: string): CatalogMetric | undefined {
    const ofType = this.#types.get(type)
    if (!ofType) return undefined
    return (
      ofType.exact.get(field) ??
      ofType.patterns.find(
        ({ before, after }) =>
          field.length > before.length + after.length && field.startsWith(before) && field.endsWith(after),
      )?.metric
    )
  }
}

/** A value of a numeric field as a number; whole numbers beyond 2^53 come as texts. */
export function toNumber(metric: Metric, value: unknown): number | undefined {
  if (metric.value !== 'float' && metric.value !== 'integer') return undefined
  const number = typeof value === 'number' ? value : typeof value === 'string' ? Number(value) : Number.NaN
  return Number.isFinite(number) ? number : undefined
}
