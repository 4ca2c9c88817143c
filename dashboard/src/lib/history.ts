import type { ApiEvent } from '../api/generated/ApiEvent'
import type { RangeAnswer } from '../api/generated/RangeAnswer'
import type { RangeSeries } from '../api/generated/RangeSeries'
import { toNumber } from './catalog'
import type { Metric } from './catalog'
import { CounterRate } from './counter'
import { entriesOf } from './record'
import { StateTrack } from './states'
import { SeriesTable } from './table'
import type { ColumnInput } from './table'

/** Name of the column that holds the smallest or largest values of a field's windows. */
export function edgeColumn(field: string, edge: 'min' | 'max'): string {
  return `${field} ${edge}`
}

/** Width of the windows in milliseconds; raw samples are rows of their own. */
function stepOf({ step }: RangeAnswer): number {
  return typeof step === 'number' ? step : 1
}

/** A moving set of numbers to show: readings of one entity from an answer of the API, and what comes live after it. */
export class History {
  readonly table: SeriesTable
  readonly states = new Map<string, StateTrack>()
  readonly position: string
  readonly #metrics: ReadonlyMap<string, Metric>
  readonly #rates = new Map<string, CounterRate>()
  readonly #listeners = new Set<() => void>()
  #version = 0

  constructor(metrics: readonly Metric[], answer: RangeAnswer) {
    this.#metrics = new Map(metrics.map((metric) => [metric.field, metric]))
    this.position = answer.position
    const columns = answer.series.flatMap((series) => this.#load(series) ?? [])
    this.table = SeriesTable.from(stepOf(answer), answer.to, columns)
  }

  /** For `useSyncExternalStore`: grows with every change. */
  get version(): number {
    return this.#version
  }

  readonly subscribe = (listener: () => void): (() => void) => {
    this.#listeners.add(listener)
    return () => this.#listeners.delete(listener)
  }

  apply(event: ApiEvent): void {
    const time = Date.parse(event.time)
    for (const [field, value] of entriesOf(event.fields)) {
      const metric = this.#metrics.get(field)
      if (!metric) continue
      if (metric.kind === 'state') {
        this.#track(field).add(time, String(value))
        continue
      }
      const number = toNumber(metric, value)
      if (number !== undefined) this.#add(metric, time, number)
    }
    this.#version += 1
    for (const listener of this.#listeners) listener()
  }

  /** Forgets what is older. */
  trim(before: number): void {
    this.table.trim(before)
  }

  #add(metric: Metric, time: number, value: number): void {
    if (metric.kind === 'counter') {
      const rate = this.#rate(metric.field).next(time, value)
      if (rate !== undefined) this.table.add(metric.field, time, rate)
      return
    }
    this.table.add(metric.field, time, value)
    for (const edge of ['min', 'max'] as const) {
      const column = edgeColumn(metric.field, edge)
      if (this.table.has(column)) this.table.widen(column, time, value, edge)
    }
  }

  #load(series: RangeSeries): ColumnInput | undefined {
    const metric = this.#metrics.get(series.field)
    if (!metric) return undefined
    if (metric.kind === 'state') {
      const track = this.#track(series.field)
      for (const [index, time] of series.times.entries()) {
        const value = series.values[index] ?? null
        if (value !== null) track.add(time, String(value))
      }
      return undefined
    }
    const { agg, field, times } = series
    const numbers = series.values.map((value) => toNumber(metric, value) ?? null)
    if (metric.kind === 'counter' && agg === undefined) return this.#loadCounter(field, times, numbers)
    return { field: agg === 'min' || agg === 'max' ? edgeColumn(field, agg) : field, times, values: numbers }
  }

  /** Raw readings of a counter: the rate is ours to make, and goes on with the first live reading. */
  #loadCounter(field: string, times: readonly number[], values: readonly (number | null)[]): ColumnInput {
    const rate = this.#rate(field)
    return {
      field,
      times,
      values: times.map((time, index) => {
        const value = values[index] ?? null
        return value === null ? null : (rate.next(time, value) ?? null)
      }),
    }
  }

  #track(field: string): StateTrack {
    const track = this.states.get(field) ?? new StateTrack()
    this.states.set(field, track)
    return track
  }

  #rate(field: string): CounterRate {
    const rate = this.#rates.get(field) ?? new CounterRate()
    this.#rates.set(field, rate)
    return rate
  }
}
