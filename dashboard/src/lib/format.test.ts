import { describe, expect, it } from 'vitest'
import { formatAgo, formatDuration, formatNumber, formatPoll, formatTicks } from './format'

/** Narrow no-break spaces read as spaces here. */
function plain(text: string): string {
  return text.replaceAll('\u202f', ' ')
}

describe('formatNumber', () => {
  it.each([
    [0, 'bytes', '0 B'],
    [512, 'bytes', '512 B'],
    [1023.99, 'bytes', '1.00 KiB'],
    [1536, 'bytes', '1.50 KiB'],
    [16_777_216_000, 'bytes', '15.6 GiB'],
    [5.63e12, 'bytes', '5.12 TiB'],
    [0.1234, 'ratio', '12.3 %'],
    [1, 'ratio', '100.0 %'],
    [0, 'ratio', '0.0 %'],
    [0.0004, 'ratio', '0.04 %'],
    [0.000_001, 'ratio', '<0.01 %'],
    [47.3, 'celsius', '47.3 °C'],
    [-3.05, 'celsius', '-3.1 °C'],
    [-0.001, 'celsius', '>-0.01 °C'],
    [3_400_000_000, 'hertz', '3.40 GHz'],
    [1200, 'rpm', '1,200 rpm'],
    [230.4, 'volts', '230 V'],
    [1_234_567, 'count', '1.23 M'],
    [42, 'count', '42'],
    [0.25, 'none', '0.25'],
    [93_784, 'seconds', '1 d 2 h'],
    [18_446_744_073_709_552_000, 'bytes', '16 EiB'],
    [5, 'furlongs', '5 furlongs'],
    [125_000, 'bytes_per_second', '122 KiB/s'],
    [2_000_000, 'bits_per_second', '2 Mbit/s'],
    [Number.NaN, 'bytes', '–'],
  ])('%f %s is %s', (value, unit, text) => {
    expect(plain(formatNumber(value, unit))).toBe(text)
  })

  it.each([
    [125_000, 'bytes', '122 KiB/s'],
    [12, 'count', '12 /s'],
    [0.5, 'seconds', '50.0 %'],
    [0, 'bytes', '0 B/s'],
    [0.5, 'watt_hours', '1.80 kW'],
    [0.1, 'watt_hours', '360 W'],
    [12, 'joules', '12 W'],
  ])('the rate %f of %s is %s', (value, unit, text) => {
    expect(plain(formatNumber(value, unit, true))).toBe(text)
  })
})

describe('formatTicks', () => {
  it('shares one prefix and as many decimals as the steps need', () => {
    const mib = 1024 * 1024
    expect(formatTicks([0, 512 * 1024, mib, 1.5 * mib], 'bytes').map(plain)).toEqual(['0', '0.5 MiB', '1.0 MiB', '1.5 MiB'])
    expect(formatTicks([0, 0.025, 0.05], 'ratio').map(plain)).toEqual(['0', '2.5 %', '5.0 %'])
    expect(formatTicks([0, 256, 512], 'bytes').map(plain)).toEqual(['0', '256 B', '512 B'])
    expect(formatTicks([0, 256, 512, 768, 1024], 'bytes').map(plain)).toEqual(['0', '0.25 KiB', '0.50 KiB', '0.75 KiB', '1.00 KiB'])
    expect(formatTicks([0, 0.25, 0.5], 'ratio').map(plain)).toEqual(['0', '25 %', '50 %'])
    expect(formatTicks([44.5, 45, 45.5], 'celsius').map(plain)).toEqual(['44.5 °C', '45.0 °C', '45.5 °C'])
    expect(formatTicks([0, 3600, 7200], 'seconds').map(plain)).toEqual(['0', '1 h', '2 h'])
  })

  it('survives an axis of one tick', () => {
    expect(formatTicks([5], 'count')).toEqual(['5'])
    expect(formatTicks([], 'count')).toEqual([])
  })
})

describe('formatDuration', () => {
  it.each([
    [0, '0 s'],
    [0.000_25, '250 µs'],
    [0.0032, '3.2 ms'],
    [0.9996, '1.00 s'],
    [1.25, '1.25 s'],
    [12, '12 s'],
    [59.99, '1 min'],
    [61, '1 min 1 s'],
    [3599.6, '1 h'],
    [3661, '1 h 1 min'],
    [86_400, '1 d'],
    [86_460, '1 d'],
    [4_602_720, '53 d 6 h'],
    [-90, '-1 min 30 s'],
  ])('%f s is %s', (seconds, text) => {
    expect(plain(formatDuration(seconds))).toBe(text)
  })
})

describe('formatAgo', () => {
  it.each([
    [-500, 'just now'],
    [1_200, 'just now'],
    [12_000, '12 s ago'],
    [125_000, '2 min ago'],
    [7_500_000, '2 h ago'],
    [200_000_000, '2 d ago'],
  ])('%i ms is %s', (milliseconds, text) => {
    expect(plain(formatAgo(milliseconds))).toBe(text)
  })
})

describe('formatPoll', () => {
  it.each([
    [0, '< 1 ms'],
    [0.0004, '< 1 ms'],
    [0.001, '1 ms'],
    [0.25, '250 ms'],
    [12, '12 s'],
  ])('of %f s is %s', (seconds, text) => {
    expect(plain(formatPoll(seconds))).toBe(text)
  })
})
