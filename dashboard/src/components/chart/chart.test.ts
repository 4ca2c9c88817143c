import { describe, expect, it } from 'vitest'
import tokens from '../../styles/tokens.css?raw'
import { CANVAS_COLOURS, seriesColour } from './options'
import { alonePoints } from './points'
import { BYTE_STEPS, DURATION_STEPS, sparkRange, yRange } from './scale'

describe('alonePoints', () => {
  it('finds values that no line goes through', () => {
    expect(alonePoints([1, 2, null, 3, null, undefined, 4, undefined, 5, null, undefined, 6])).toEqual([3, 11])
    expect(alonePoints([undefined, 7, undefined])).toEqual([1])
    expect(alonePoints([])).toEqual([])
    expect(alonePoints([null, undefined])).toEqual([])
  })
})

describe('yRange', () => {
  it.each([
    ['ratio', 0, 0.03, false, [0, 0.1]],
    ['ratio', 0, 0.6, false, [0, 1]],
    ['ratio', 0.2, 1, false, [0, 1]],
    ['bytes', 0, 0, false, [0, 1024]],
    ['count', 30, 30, false, [0, 32.4]],
  ])('of %s from %f to %f is calm', (unit, min, max, isRate, range) => {
    const [low, high] = yRange(unit, min, max, isRate)
    expect(low).toBeCloseTo(range[0] ?? 0)
    expect(high).toBeCloseTo(range[1] ?? 0)
  })

  it('holds all values and has a height, whatever they are', () => {
    for (const unit of ['ratio', 'bytes', 'celsius', 'seconds', 'count', 'none', 'volts']) {
      for (const [min, max] of [[0, 0], [5, 5], [-5, -5], [-3, 8], [1e12, 2e12], [230, 231], [0, 3.2]] as const) {
        const [low, high] = yRange(unit, min, max)
        expect(low).toBeLessThanOrEqual(min)
        expect(high).toBeGreaterThanOrEqual(max)
        expect(high).toBeGreaterThan(low)
      }
      expect(yRange(unit, null, null)[0]).toBe(0)
    }
  })

  it('looks closely at what moves far from zero', () => {
    expect(yRange('celsius', 44, 46)[0]).toBeGreaterThan(40)
    expect(yRange('bytes', 44, 46)[0]).toBe(0)
  })
})

describe('sparkRange', () => {
  it('keeps a value that hardly moves in the middle', () => {
    const [low, high] = sparkRange('bytes', 1_000, 1_001, false)
    expect((low + high) / 2).toBeCloseTo(1_000.5)
    expect(high - low).toBeGreaterThan(200)
  })
})

it('offers steps of ticks in ascending order', () => {
  for (const steps of [BYTE_STEPS, DURATION_STEPS]) expect(steps.toSorted((a, b) => a - b)).toEqual(steps)
})

describe('colours of the canvas', () => {
  it('are registered as colours: light-dark() says nothing to a canvas', () => {
    const series = Array.from({ length: 9 }, (_, index) => seriesColour(index))
    for (const name of [...CANVAS_COLOURS, ...series]) {
      expect(tokens).toContain(`@property ${name} { syntax: '<color>';`)
      expect(tokens).toContain(`\n  ${name}: light-dark(`)
    }
  })
})
