import { expect, it } from 'vitest'
import { CounterRate } from './counter'

it('is the growth per second, also over a reset', () => {
  const rate = new CounterRate()
  expect(rate.next(0, 1_000)).toBeUndefined()
  expect(rate.next(5_000, 1_500)).toBe(100)
  expect(rate.next(10_000, 200)).toBe(40)
  expect(rate.next(15_000, 200)).toBe(0)
})

it('takes no notice of a reading that is not newer', () => {
  const rate = new CounterRate()
  rate.next(5_000, 100)
  expect(rate.next(5_000, 900)).toBeUndefined()
  expect(rate.next(4_000, 900)).toBeUndefined()
  expect(rate.next(6_000, 101)).toBe(1)
})
