import { describe, expect, it } from 'vitest'
import { fixedSearch, readRangeSearch, stepFor, timeRange } from './range'
import { resolutionFor } from './resolution'

describe('readRangeSearch', () => {
  it('keeps what is a range', () => {
    expect(readRangeSearch({ range: '24h' })).toEqual({ range: '24h' })
    expect(readRangeSearch({ from: '2026-11-23T06:00:00Z', to: '2026-11-23T07:00:00Z' })).toEqual({
      from: '2026-11-23T06:00:00.000Z',
      to: '2026-11-23T07:00:00.000Z',
    })
  })

  it.each([
    [{}],
    [{ range: '2h' }],
    [{ range: 3 }],
    [{ from: '2026-11-23T07:00:00Z', to: '2026-11-23T06:00:00Z' }],
    [{ from: 'yesterday', to: '2026-11-23T06:00:00Z' }],
    [{ from: '2026-11-23T06:00:00Z' }],
  ])('shows the default for %o', (search) => {
    expect(timeRange(readRangeSearch(search))).toEqual({ kind: 'live', span: '1h' })
  })

  it('comes back from the URL as it went in', () => {
    const [from, to] = [1_795_406_400_123, 1_795_406_460_456]
    expect(timeRange(readRangeSearch({ ...fixedSearch(from, to) }))).toEqual({ kind: 'fixed', from, to })
  })
})

describe('steps', () => {
  it('never asks for more points than a chart has pixels', () => {
    for (const hours of [0.01, 0.25, 1, 6, 24, 168, 8_760]) {
      expect((hours * 3_600) / stepFor(hours * 3_600_000)).toBeLessThanOrEqual(720)
    }
  })

  it('draws every sample of a short range and windows of a long one', () => {
    expect(resolutionFor(3_600_000, 5)).toBeUndefined()
    expect(resolutionFor(6 * 3_600_000, 5)).toBe(30)
    expect(resolutionFor(24 * 3_600_000, 60)).toBe(120)
    expect(resolutionFor(7 * 86_400_000, 3_600)).toBeUndefined()
  })
})
