import { describe, expect, it } from 'vitest'
import type { SourceInfo } from '../api/generated/SourceInfo'
import { compareSources, countStates, pollShare, sourceMatches, stateAge } from './source'

function source(name: string, state: SourceInfo['state'], part: Partial<SourceInfo> = {}): SourceInfo {
  return {
    name, display_name: null, state, kind: 'docker', agent: null, reason: null, class: null, since: null, last_event: null, interval_seconds: null,
    configured_interval_seconds: null, busy_ratio: null, budget_ratio: null, poll_seconds: null, skew_seconds: null, entities: 0, ...part,
  }
}

describe('sources', () => {
  it('stand in the order in which they need somebody, then by name as people count', () => {
    const sources = [source('nas10', 'up'), source('nas2', 'up'), source('shed', 'pushed'), source('late', 'stale'), source('dns', 'down')]
    expect(sources.toSorted(compareSources).map(({ name }) => name)).toEqual(['dns', 'late', 'nas2', 'nas10', 'shed'])
    expect(countStates(sources)).toBe('1 down, 1 stale, 2 up, 1 pushed')
    expect(countStates([])).toBe('')
  })

  it('are found by all that tells them apart', () => {
    const nas = source('nas1', 'down', { kind: 'synology', agent: 'atlas', class: 'bad_credentials' })
    expect(['', 'NAS', 'synology atlas', 'down credentials', 'nas up'].map((search) => sourceMatches(nas, search))).toEqual([
      true, true, true, true, false,
    ])
  })

  it('tell for how long they are as they are only where that is known', () => {
    expect(stateAge(source('a', 'down', { since: 40_000 }), 100_000)).toBe('for 1\u202fmin')
    expect(stateAge(source('a', 'down'), 100_000)).toBeUndefined()
  })

  it('tell what share of the time they are asked only where that was measured', () => {
    expect(pollShare(source('a', 'up', { busy_ratio: 0.02 }))).toBe('2.0\u202f%')
    expect(pollShare(source('a', 'up', { poll_seconds: 0.3, interval_seconds: 15 }))).toBeUndefined()
  })
})
