import type { CatalogAnswer } from './generated/CatalogAnswer'
import type { EntitiesAnswer } from './generated/EntitiesAnswer'
import type { EventsAnswer } from './generated/EventsAnswer'
import type { EventType } from './generated/EventType'
import type { Agg } from './generated/Agg'
import type { Preferences } from './generated/Preferences'
import type { RangeAnswer } from './generated/RangeAnswer'
import type { SourcesAnswer } from './generated/SourcesAnswer'
import { clock } from '../lib/clock'
import type { Session } from './session'

export interface EntitiesQuery {
  readonly entity?: readonly string[]
  readonly type?: string
  readonly source?: string
}

/** Times are Unix milliseconds, RFC 3339 or relative (`-6h`, `now`). */
export type TimeInput = number | string

export interface RangeQuery {
  readonly entity?: readonly string[]
  readonly type?: string
  readonly field?: readonly string[]
  readonly from: TimeInput
  readonly to: TimeInput
  /** Width of the windows in seconds, or every sample. */
  readonly step?: number | 'raw'
  readonly agg?: readonly Agg[]
}

export interface EventsQuery {
  readonly source?: string
  readonly entity?: string
  readonly event?: readonly EventType[]
  readonly from?: TimeInput
  readonly to?: TimeInput
  /** Position after which the page begins. */
  readonly after?: string
  readonly limit?: number
}

type Parameter = string | number | readonly string[] | undefined

/** Parameters as the API takes them: a list is repeated for entities and joined by commas elsewhere. */
function queryString(parameters: Readonly<Record<string, Parameter>>): string {
  const search = new URLSearchParams()
  for (const [name, value] of Object.entries(parameters)) {
    if (value === undefined) continue
    if (typeof value === 'string' || typeof value === 'number') search.set(name, String(value))
    else if (name === 'entity') for (const one of value) search.append(name, one)
    else if (value.length > 0) search.set(name, value.join(','))
  }
  const text = search.toString()
  return text === '' ? '' : `?${text}`
}

/** The API, typed by what the server is made of. Every method throws `ApiError` or `NetworkError`. */
export class Client {
  constructor(private readonly session: Session) {}

  catalog(signal?: AbortSignal): Promise<CatalogAnswer> {
    return this.#get('/api/v1/catalog', signal)
  }

  sources(signal?: AbortSignal): Promise<SourcesAnswer> {
    return this.#get('/api/v1/sources', signal)
  }

  entities(query: EntitiesQuery, signal?: AbortSignal): Promise<EntitiesAnswer> {
    return this.#get(`/api/v1/entities${queryString({ ...query })}`, signal)
  }

  async range(query: RangeQuery, signal?: AbortSignal): Promise<RangeAnswer> {
    const answer = await this.#get<RangeAnswer>(`/api/v1/range${queryString({ ...query })}`, signal)
    if (query.to === 'now') clock.sync(answer.to)
    return answer
  }

  events(query: EventsQuery, signal?: AbortSignal): Promise<EventsAnswer> {
    return this.#get(`/api/v1/events${queryString({ ...query })}`, signal)
  }

  preferences(signal?: AbortSignal): Promise<Preferences> {
    return this.#get('/api/v1/preferences', signal)
  }

  putPreferences(preferences: Preferences): Promise<void> {
    return this.session.request('/api/v1/preferences', { method: 'PUT', body: preferences })
  }

  #get<T>(path: string, signal?: AbortSignal): Promise<T> {
    return this.session.request<T>(path, { signal })
  }
}
