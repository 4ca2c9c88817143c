// Turns a number and its catalogue unit into words, for values, axes and tooltips alike.

/** Narrow no-break space between a number and its unit, as SI and ISO 80000 ask. */
const GAP = '\u202f'
/** Shown where there is no value. */
export const NO_VALUE = '–'

/** How the numbers of one unit are written at one magnitude: shown = value × factor, then the suffix. */
export interface Scale {
  readonly factor: number
  readonly suffix: string
}

interface Ladder {
  /** Size of one step between prefixes. */
  readonly base: number
  readonly prefixes: readonly string[]
}

const IEC: Ladder = { base: 1024, prefixes: ['', 'Ki', 'Mi', 'Gi', 'Ti', 'Pi', 'Ei'] }
const SI: Ladder = { base: 1000, prefixes: ['', 'k', 'M', 'G', 'T', 'P', 'E'] }

interface UnitForm {
  readonly symbol: string
  readonly ladder?: Ladder
  /** Fixed factor, for units that are shown in another one. */
  readonly factor?: number
}

const FORMS: Readonly<Record<string, UnitForm>> = {
  bytes: { symbol: 'B', ladder: IEC },
  bits: { symbol: 'bit', ladder: SI },
  bytes_per_second: { symbol: 'B/s', ladder: IEC },
  bits_per_second: { symbol: 'bit/s', ladder: SI },
  ratio: { symbol: '%', factor: 100 },
  percent: { symbol: '%' },
  celsius: { symbol: '°C' },
  hertz: { symbol: 'Hz', ladder: SI },
  volts: { symbol: 'V', ladder: SI },
  amperes: { symbol: 'A', ladder: SI },
  watts: { symbol: 'W', ladder: SI },
  watt_hours: { symbol: 'Wh', ladder: SI },
  joules: { symbol: 'J', ladder: SI },
  pascals: { symbol: 'Pa', ladder: SI },
  rpm: { symbol: 'rpm' },
  count: { symbol: '', ladder: SI },
  none: { symbol: '', ladder: SI },
}

/** Energies whose rate per second is a power, and how many watts one a second is. */
const WATTS: Readonly<Record<string, number>> = { watt_hours: 3600, joules: 1 }

/** The unit that a counter's rate per second has: seconds per second are a ratio, energy is power, all else gets "/s". */
function formOf(unit: string, rate: boolean): UnitForm {
  if (rate && unit === 'seconds') return { symbol: '%', factor: 100 }
  if (rate && unit in WATTS) return { symbol: 'W', ladder: SI, factor: WATTS[unit] ?? 1 }
  const form = FORMS[unit] ?? { symbol: unit.replaceAll('_', ' '), ladder: SI }
  if (!rate) return form
  return form.factor === undefined ? { ...form, symbol: `${form.symbol}/s` } : form
}

/** The scale for values up to `magnitude`, so that a whole axis or table column shares one prefix. */
export function scaleFor(unit: string, magnitude: number, rate = false): Scale {
  const { symbol, ladder, factor = 1 } = formOf(unit, rate)
  if (!ladder) return { factor, suffix: symbol }
  let step = 0
  let size = Math.abs(magnitude * factor)
  // 999.95 would be written as "1000": it belongs to the next prefix.
  while (size >= ladder.base * 0.99995 && step < ladder.prefixes.length - 1) {
    size /= ladder.base
    step += 1
  }
  return { factor: factor / ladder.base ** step, suffix: `${ladder.prefixes[step] ?? ''}${symbol}` }
}

/** About three significant digits, never more than `max` decimals, no exponent. */
function digitsFor(shown: number, max = 2): number {
  const size = Math.abs(shown)
  if (size >= 100 || Number.isInteger(shown)) return 0
  if (size >= 10) return Math.min(1, max)
  return max
}

const numberFormats = new Map<number, Intl.NumberFormat>()

function writeNumber(value: number, digits: number): string {
  let format = numberFormats.get(digits)
  if (!format) {
    format = new Intl.NumberFormat('en', { minimumFractionDigits: digits, maximumFractionDigits: digits })
    numberFormats.set(digits, format)
  }
  // −0.00 is a rounding artefact, not a value.
  const text = format.format(value)
  return /^-0(\.0+)?$/.test(text) ? text.slice(1) : text
}

function withUnit(number: string, suffix: string): string {
  return suffix === '' ? number : `${number}${GAP}${suffix}`
}

/** One number with its unit, e.g. `12.4 %`, `3.51 GiB`, `870 KiB/s`, `4 d 2 h`. */
export function formatNumber(value: number, unit: string, rate = false): string {
  if (!Number.isFinite(value)) return NO_VALUE
  if (unit === 'seconds' && !rate) return formatDuration(value)
  const { factor, suffix } = scaleFor(unit, value, rate)
  const shown = value * factor
  const small = shown !== 0 && Math.abs(shown) < 0.005
  if (small) return withUnit(shown > 0 ? '<0.01' : '>-0.01', suffix)
  const oneDecimal = suffix === '%' || suffix === '°C'
  return withUnit(writeNumber(shown, oneDecimal ? percentDigits(shown) : digitsFor(shown)), suffix)
}

/** Percent and degrees keep one decimal, so that a moving value does not jump in width. */
function percentDigits(shown: number): number {
  return shown !== 0 && Math.abs(shown) < 0.1 ? 2 : 1
}

/** Labels of an axis: one prefix for all, as many decimals as the step between ticks needs. */
export function formatTicks(ticks: readonly number[], unit: string, rate = false): string[] {
  const top = ticks.reduce((most, tick) => Math.max(most, Math.abs(tick)), 0)
  if (unit === 'seconds' && !rate) return ticks.map((tick) => (tick === 0 ? '0' : formatDuration(tick)))
  const { factor, suffix } = scaleFor(unit, top, rate)
  const [first = 0, second = first] = ticks
  const step = Math.abs(second - first) * factor
  const digits = digitsOfStep(step)
  return ticks.map((tick) => (tick === 0 ? '0' : withUnit(writeNumber(tick * factor, digits), suffix)))
}

/** Decimals that tell multiples of a step apart without rounding: 0 for 25, 1 for 2.5, 2 for 0.25. */
function digitsOfStep(step: number): number {
  if (step === 0) return 0
  for (let digits = 0; digits < 4; digits += 1) {
    const scaled = step * 10 ** digits
    if (scaled > 0.5 && Math.abs(scaled - Math.round(scaled)) < 1e-6 * scaled) return digits
  }
  return 4
}

const SPANS = [
  { name: 'd', seconds: 86_400 },
  { name: 'h', seconds: 3_600 },
  { name: 'min', seconds: 60 },
] as const

/** A length of time in seconds by its two largest parts: `3 d 4 h`, `12 min 5 s`, `1.25 s`, `40 ms`. */
export function formatDuration(seconds: number): string {
  if (!Number.isFinite(seconds)) return NO_VALUE
  const sign = seconds < 0 ? '-' : ''
  const size = Math.abs(seconds)
  if (size === 0) return `0${GAP}s`
  if (size < 0.000_999_5) return `${sign}${writeNumber(size * 1e6, digitsFor(size * 1e6, 1))}${GAP}µs`
  if (size < 0.999_5) return `${sign}${writeNumber(size * 1e3, digitsFor(size * 1e3, 1))}${GAP}ms`
  if (size < 59.95) return `${sign}${writeNumber(size, digitsFor(size))}${GAP}s`
  let rest = Math.round(size)
  const parts: string[] = []
  for (const span of SPANS) {
    const whole = Math.floor(rest / span.seconds)
    rest -= whole * span.seconds
    if (whole > 0) parts.push(`${whole}${GAP}${span.name}`)
    else if (parts.length > 0) break
    if (parts.length === 2) break
  }
  if (parts.length === 1 && rest > 0 && rest < 60 && size < 3600) parts.push(`${rest}${GAP}s`)
  return sign + parts.join(' ')
}

/** How long a poll takes. Collectors count milliseconds: what is less is told as 0. */
export function formatPoll(seconds: number): string {
  return seconds >= 0 && seconds < 0.001 ? `<${GAP}1${GAP}ms` : formatDuration(seconds)
}

/** How long ago something was, in one part: `now`, `12 s ago`, `5 min ago`, `3 d ago`. */
export function formatAgo(milliseconds: number): string {
  const seconds = Math.round(milliseconds / 1000)
  if (seconds < 2) return 'just now'
  if (seconds < 60) return `${seconds}${GAP}s ago`
  const span = SPANS.find(({ seconds: size }) => seconds >= size)
  if (!span) return `${seconds}${GAP}s ago`
  return `${Math.floor(seconds / span.seconds)}${GAP}${span.name} ago`
}
