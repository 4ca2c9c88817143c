/** The ranges that end now and move with it. */
export const SPANS = ['15m', '1h', '6h', '24h', '7d'] as const
export type Span = (typeof SPANS)[number]

export const DEFAULT_SPAN: Span = '1h'

/** What the entity page shows, as it stands in the URL. */
export interface RangeSearch {
  readonly range?: Span | undefined
  /** RFC 3339; both or none. They win over `range`. */
  readonly from?: string | undefined
  readonly to?: string | undefined
}

/** The part of time that is looked at: a span up to now, or two fixed ends in milliseconds. */
export type TimeRange =
  | { readonly kind: 'live'; readonly span: Span }
  | { readonly kind: 'fixed'; readonly from: number; readonly to: number }

const UNIT_MS = { m: 60_000, h: 3_600_000, d: 86_400_000 } as const

export function spanMs(span: Span): number {
  const unit = span.endsWith('m') ? 'm' : span.endsWith('h') ? 'h' : 'd'
  return Number.parseInt(span, 10) * UNIT_MS[unit]
}

export function isSpan(value: unknown): value is Span {
  return SPANS.some((span) => span === value)
}

/** Keeps what is a range of the search parameters, and names the rest as undefined; a broken link shows the default. */
export function readRangeSearch(search: Record<string, unknown>): RangeSearch {
  const from = typeof search.from === 'string' ? Date.parse(search.from) : Number.NaN
  const to = typeof search.to === 'string' ? Date.parse(search.to) : Number.NaN
  if (from < to) return { ...fixedSearch(from, to), range: undefined }
  return { range: isSpan(search.range) ? search.range : undefined, from: undefined, to: undefined }
}

/** The search parameters of two fixed ends. */
export function fixedSearch(from: number, to: number): RangeSearch {
  return { from: new Date(Math.round(from)).toISOString(), to: new Date(Math.round(to)).toISOString() }
}

export function timeRange({ range = DEFAULT_SPAN, from, to }: RangeSearch): TimeRange {
  if (from !== undefined && to !== undefined) return { kind: 'fixed', from: Date.parse(from), to: Date.parse(to) }
  return { kind: 'live', span: range }
}

/** Shortest range that a drag selects. */
export const MIN_RANGE_MS = 5_000

const STEPS_S = [
  1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200, 10_800, 21_600, 43_200, 86_400, 604_800,
] as const

/** Points that a chart asks for at most: more than it has pixels would be thrown away. */
const MAX_POINTS = 720

/** Width of one window in seconds for a range of that length. */
export function stepFor(milliseconds: number): number {
  const least = milliseconds / 1000 / MAX_POINTS
  return STEPS_S.find((step) => step >= least) ?? STEPS_S[STEPS_S.length - 1] ?? 604_800
}
