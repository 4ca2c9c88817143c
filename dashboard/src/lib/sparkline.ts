import type { Cell } from './table'

export interface SparkInput {
  readonly times: readonly number[]
  readonly cells: readonly Cell[]
  readonly from: number
  readonly to: number
  readonly min: number
  readonly max: number
  readonly width: number
  readonly height: number
}

/** The path of a line through the values that lie in the range; `null` lifts the pen. */
export function sparkPath({ times, cells, from, to, min, max, width, height }: SparkInput): string {
  const parts: string[] = []
  let isDown = false
  for (const [row, time] of times.entries()) {
    const value = cells[row]
    if (value === null) isDown = false
    if (typeof value !== 'number' || time < from || time > to) continue
    const x = ((time - from) / (to - from)) * width
    const y = max === min ? height / 2 : height - ((Math.min(value, max) - min) / (max - min)) * height
    parts.push(`${isDown ? 'L' : 'M'}${x.toFixed(1)} ${y.toFixed(1)}`)
    isDown = true
  }
  return parts.join('')
}
