import type { ApiEvent } from '../api/generated/ApiEvent'
import type { EntitiesAnswer } from '../api/generated/EntitiesAnswer'
import type { EntityState } from '../api/generated/EntityState'
import { toNumber } from './catalog'
import type { Catalog } from './catalog'
import { CounterRate } from './counter'
import { applyEvent, isPurge } from './entity'
import { entriesOf } from './record'
import type { SeriesTable } from './table'

/** Screens are drawn this often at most, however fast events come. */
const DRAW_EVERY_MS = 250

/** The newest state of everything, kept up to date by events. */
export class Lab {
  readonly position: string
  readonly #catalog: Catalog
  readonly #entities = new Map<string, EntityState>()
  readonly #rates = new Map<string, { readonly counter: CounterRate; value: number | undefined }>()
  readonly #trails = new Map<string, SeriesTable>()
  readonly #listeners = new Set<() => void>()
  #snapshot: readonly EntityState[]
  #isWaiting = false

  constructor(catalog: Catalog, { position, entities }: EntitiesAnswer) {
    this.#catalog = catalog
    this.position = position
    for (const entity of entities) {
      this.#entities.set(entity.key, entity)
      for (const [field, { value, time }] of entriesOf(entity.fields)) this.#count(entity.key, entity.type, field, value, time)
    }
    this.#snapshot = [...this.#entities.values()]
  }

  /** All entities; a new list when any of them changed. */
  get entities(): readonly EntityState[] {
    return this.#snapshot
  }

  /** For `useSyncExternalStore`. */
  readonly subscribe = (listener: () => void): (() => void) => {
    this.#listeners.add(listener)
    return () => this.#listeners.delete(listener)
  }

  /** The newest rate per second of a counter: of its last two readings, until then the last of its recent course. */
  rate(key: string, field: string): number | undefined {
    return this.#rates.get(`${key} ${field}`)?.value ?? this.#trails.get(key)?.last(field)?.value
  }

  /** The recent course of an entity's headline. */
  trail(key: string): SeriesTable | undefined {
    return this.#trails.get(key)
  }

  setTrail(key: string, trail: SeriesTable): void {
    this.#trails.set(key, trail)
    this.#changed()
  }

  apply(event: ApiEvent): void {
    if (isPurge(event)) {
      this.#forget(event.source)
      return
    }
    const { key, type } = event.entity
    const time = Date.parse(event.time)
    this.#entities.set(key, applyEvent(this.#entities.get(key), event))
    const trail = this.#trails.get(key)
    for (const [field, value] of entriesOf(event.fields)) {
      const number = this.#count(key, type, field, value, time)
      if (number !== undefined && trail?.has(field)) trail.add(field, time, number)
    }
    trail?.trim(time - 3_600_000)
    this.#changed()
  }

  /** Everything of a source goes. */
  #forget(source: string): void {
    for (const [key, entity] of this.#entities) {
      if (entity.source !== source) continue
      this.#entities.delete(key)
      this.#trails.delete(key)
      for (const field of Object.keys(entity.fields)) this.#rates.delete(`${key} ${field}`)
    }
    this.#changed()
  }

  /** A reading as it is drawn: gauges as they are, counters as their rate. */
  #count(key: string, type: string, field: string, value: unknown, time: number): number | undefined {
    const metric = this.#catalog.metric(type, field, value)
    const number = toNumber(metric, value)
    if (metric.kind !== 'counter' || number === undefined) return number
    const id = `${key} ${field}`
    const rate = this.#rates.get(id) ?? { counter: new CounterRate(), value: undefined }
    this.#rates.set(id, rate)
    rate.value = rate.counter.next(time, number) ?? rate.value
    return rate.value
  }

  #changed(): void {
    if (this.#isWaiting) return
    this.#isWaiting = true
    setTimeout(() => {
      this.#isWaiting = false
      this.#snapshot = [...this.#entities.values()]
      for (const listener of this.#listeners) listener()
    }, DRAW_EVERY_MS)
  }
}
