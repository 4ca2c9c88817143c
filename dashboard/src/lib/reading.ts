import type { EntityState } from '../api/generated/EntityState'
import { toNumber } from './catalog'
import type { Metric } from './catalog'
import { formatNumber, NO_VALUE } from './format'
import { capacityField } from './headline'

/** A metric of an entity as it is written: its value, and the whole where it is part of one. */
export interface Reading {
  readonly text: string
  /** `of 15.6 GiB`. */
  readonly whole: string | undefined
  /** Which part of the whole it is, 0 to 1. */
  readonly part: number | undefined
}

/** Writes any value with its unit; flags are words, and texts stand as they are. */
export function formatValue(metric: Metric, value: unknown): string {
  const number = toNumber(metric, value)
  if (number !== undefined) return formatNumber(number, metric.unit)
  if (typeof value === 'boolean') return value ? 'yes' : 'no'
  if (value === undefined || value === null || value === '') return NO_VALUE
  return String(value)
}

/** The newest reading of a metric. Counters are told by their rate per second. */
export function readingOf(entity: EntityState, metric: Metric, rate: number | undefined): Reading {
  if (metric.kind === 'counter') {
    return { text: rate === undefined ? NO_VALUE : formatNumber(rate, metric.unit, true), whole: undefined, part: undefined }
  }
  const value = entity.fields[metric.field]?.value
  const number = toNumber(metric, value)
  const capacity = capacityField(metric.field, (field) => field in entity.fields)
  const whole = capacity === undefined ? undefined : toNumber(metric, entity.fields[capacity]?.value)
  if (number !== undefined && whole !== undefined && whole > 0) {
    return {
      text: formatValue(metric, value),
      whole: `of ${formatNumber(whole, metric.unit)}`,
      part: Math.min(1, number / whole),
    }
  }
  return { text: formatValue(metric, value), whole: undefined, part: undefined }
}
