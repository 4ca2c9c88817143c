/** Smallest top of a scale by unit: an idle machine shows a flat line, not its noise blown up. */
const LEAST_TOP: Readonly<Record<string, number>> = { ratio: 0.1, bytes: 1024, celsius: 1, seconds: 0.001, count: 1 }

/** What moves far from zero: half a degree matters, zero degrees do not. */
const FAR_FROM_ZERO: ReadonlySet<string> = new Set(['celsius', 'volts', 'hertz', 'none'])

/** Tops that people read easily, for parts of one. */
const RATIO_TOPS = [0.1, 0.25, 0.5, 1]

/** The ends of a chart's value axis for what it shows. Values that stay well above zero get a scale without it. */
export function yRange(unit: string, min: number | null, max: number | null, isRate = false): [number, number] {
  const least = isRate ? 1 : (LEAST_TOP[unit] ?? 1)
  if (min === null || max === null) return [0, least]
  if (unit === 'ratio' && min >= 0) {
    const top = RATIO_TOPS.find((end) => max <= end * 0.98) ?? (max <= 1 ? 1 : max * 1.08)
    return [0, top]
  }
  const span = max - min
  const startsAtZero = isRate || !FAR_FROM_ZERO.has(unit) || min <= 2 * span
  if (min >= 0 && startsAtZero) return [0, Math.max(least, max * 1.08)]
  if (span === 0) {
    const pad = Math.max(Math.abs(max) * 0.05, least / 2)
    return [min - pad, max + pad]
  }
  const low = min - span * 0.15
  return [min >= 0 ? Math.max(0, low) : low, max + span * 0.15]
}

/** The ends of a small line's value axis: a value that hardly moves is a flat line in the middle. */
export function sparkRange(unit: string, min: number, max: number, isRate: boolean): [number, number] {
  if (unit === 'ratio' || isRate) return yRange(unit, min, max, isRate)
  const span = Math.max(max - min, 0.2 * Math.max(Math.abs(max), Math.abs(min)), Number.MIN_VALUE)
  const middle = (min + max) / 2
  return [middle - span * 0.6, middle + span * 0.6]
}

/** Steps between the ticks of an axis of lengths of time, in seconds: round in minutes, hours and days. */
export const DURATION_STEPS: number[] = [
  ...[1e-6, 1e-5, 1e-4, 1e-3, 1e-2, 0.1].flatMap((unit) => [unit, 2 * unit, 5 * unit]),
  1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200, 14_400, 21_600, 43_200,
  ...[1, 2, 5, 10, 20, 50, 100, 200, 500, 1000, 2000, 5000, 10_000].map((days) => days * 86_400),
]

/** Steps between the ticks of a bytes axis: powers of two, so that labels are round in KiB, MiB, GiB. */
export const BYTE_STEPS: number[] = Array.from({ length: 61 }, (_, power) => 2 ** power)
