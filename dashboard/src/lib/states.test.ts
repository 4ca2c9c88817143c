import { expect, it } from 'vitest'
import { StateTrack } from './states'

function track(readings: readonly (readonly [number, string])[]): StateTrack {
  const states = new StateTrack()
  for (const [time, value] of readings) states.add(time, value)
  return states
}

it('joins equal readings and begins anew at a change', () => {
  expect(track([[0, 'running'], [5, 'running'], [10, 'exited'], [15, 'exited']]).spans).toEqual([
    { from: 0, to: 10, value: 'running' },
    { from: 10, to: 15, value: 'exited' },
  ])
})

it('does not claim to know what it did not hear', () => {
  const { spans } = track([[0, 'up'], [5, 'up'], [10, 'up'], [100, 'up'], [105, 'up']])
  expect(spans).toEqual([
    { from: 0, to: 10, value: 'up' },
    { from: 10, to: 100, value: undefined },
    { from: 100, to: 105, value: 'up' },
  ])
})

it('takes a reading once', () => {
  expect(track([[0, 'up'], [5, 'down'], [5, 'down'], [3, 'up']]).spans).toHaveLength(2)
})
