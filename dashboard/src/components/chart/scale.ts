/** Smallest top of a scale by unit: an idle machine shows a flat line, not its noise blown up. */
const LEAST_TOP: Readonly<Record<string, number>> = { ratio: 0.1, bytes: 1024, celsius: 1, seconds: 0.001, count: 1 }

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
  const hasZeroNear = min >= 0 && (isRate || min <= 2 * span || unit === 'bytes')
  if (hasZeroNear) return [0, Math.max(least, max * 1.08)]
  if (span === 0) {
    const pad = Math.max(Math.abs(max) * 0.05, least / 2)
    return [min - pad, max + pad]
  }
  const low = min - span * 0.15
  return [min >= 0 ? Math.max(0, low) : low, max + span * 0.15]
}

/** Steps between the ticks of a bytes axis: powers of two, so that labels are round in KiB, MiB, GiB. */
export const BYTE_STEPS: number[] = Array.from({ length: 61 }, (_, power) => 2 ** power)
