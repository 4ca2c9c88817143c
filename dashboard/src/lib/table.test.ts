import { describe, expect, it } from 'vitest'
import { SeriesTable } from './table'

const SECOND = 1_000

describe('SeriesTable', () => {
  it('joins fields of different times into common rows', () => {
    const table = SeriesTable.from(SECOND, 4_000, [
      { field: 'a', times: [1_000, 2_000, 3_000], values: [1, 2, 3] },
      { field: 'b', times: [2_000, 4_000], values: [20, 40] },
    ])
    expect(table.times).toEqual([1_000, 2_000, 3_000, 4_000])
    expect(table.cells('a')).toEqual([1, 2, 3, undefined])
    expect(table.cells('b')).toEqual([undefined, 20, undefined, 40])
  })

  it('appends live readings, each once', () => {
    const table = SeriesTable.from(1, 3_000, [{ field: 'a', times: [1_000, 2_000], values: [1, 2] }])
    expect(table.add('a', 2_000, 2)).toBe(false)
    expect(table.add('a', 3_000, 3)).toBe(true)
    expect(table.add('a', 3_000, 3)).toBe(false)
    expect(table.times).toEqual([1_000, 2_000, 3_000])
    expect(table.cells('a')).toEqual([1, 2, 3])
  })

  it('puts a late reading where it belongs', () => {
    const table = SeriesTable.from(1, 3_000, [{ field: 'a', times: [1_000, 3_000], values: [1, 3] }])
    expect(table.add('a', 2_000, 2)).toBe(true)
    expect(table.times).toEqual([1_000, 2_000, 3_000])
    expect(table.cells('a')).toEqual([1, 2, 3])
    expect(table.last('a')).toEqual({ time: 3_000, value: 3 })
  })

  it('continues the mean of the window at the seam by time', () => {
    // The history knows 20 s of the minute at 10; the 10 s up to the live reading count with 40.
    const table = SeriesTable.from(60 * SECOND, 80 * SECOND, [{ field: 'a', times: [0, 60_000], values: [5, 10] }])
    table.add('a', 90 * SECOND, 40)
    expect(table.cells('a')).toEqual([5, 20])
    // What the answer already reflected does not count twice.
    table.add('a', 75 * SECOND, 1_000)
    expect(table.cells('a')).toEqual([5, 20])
  })

  it('breaks the line only where something is missing', () => {
    // Polls every 5 s, windows of 2 s: most windows are empty, nothing is missing.
    const times = [0, 2, 4, 6, 8, 10, 12, 14].map((second) => second * SECOND)
    const dense = SeriesTable.from(2 * SECOND, 16_000, [{ field: 'a', times, values: [1, null, 2, null, null, 3, null, 4] }])
    expect(dense.cells('a')).not.toContain(null)
    const samples = [0, 5, 10, 15, 60, 65, 70].map((second) => second * SECOND)
    const holed = SeriesTable.from(1, 80_000, [{ field: 'a', times: samples, values: samples.map(() => 1) }])
    expect(holed.times).toContain(15_001)
    expect(holed.cells('a')).toEqual([1, 1, 1, 1, null, 1, 1, 1])
  })

  it('breaks the line before a live reading that comes too late', () => {
    const table = SeriesTable.from(1, 10_000, [{ field: 'a', times: [0, 5_000, 10_000], values: [1, 1, 1] }])
    table.add('a', 60_000, 1)
    expect(table.cells('a')).toEqual([1, 1, 1, null, 1])
  })

  it('takes a field that the history did not have', () => {
    const table = SeriesTable.from(1, 1_000, [{ field: 'a', times: [0], values: [1] }])
    table.add('b', 5_000, 7)
    expect(table.times).toEqual([0, 5_000])
    expect(table.cells('b')).toEqual([undefined, 7])
    expect(table.cells('unknown')).toEqual([undefined, undefined])
  })

  it('forgets the past in large pieces', () => {
    const table = new SeriesTable(SECOND)
    for (let second = 0; second < 200; second += 1) table.add('a', second * SECOND, second)
    table.trim(10 * SECOND)
    expect(table.times).toHaveLength(200)
    table.trim(100 * SECOND)
    expect(table.times).toHaveLength(100)
    expect(table.cells('a')[0]).toBe(100)
  })

  it('widens the band of a window', () => {
    const table = new SeriesTable(60 * SECOND)
    table.widen('a min', 1_000, 5, 'min')
    table.widen('a min', 2_000, 3, 'min')
    table.widen('a min', 3_000, 4, 'min')
    expect(table.cells('a min')).toEqual([3])
  })
})
