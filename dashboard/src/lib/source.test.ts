import { describe, expect, it } from 'vitest'
import type { SourceInfo } from '../api/generated/SourceInfo'
import { busyText, compareSources, countStates, sourceMatches, stateAge, stretchText, tally } from './source'

function source(name: string, state: SourceInfo['state'], part: Partial<SourceInfo> = {}): SourceInfo {
  return {
    name, state, kind: 'docker', agent: null, reason: null, class: null, fix: null, finding: null, since: null, last_event: null, interval_seconds: null,
    poll_seconds: null, skew_seconds: null, entities: 0, display_name: null, configured_interval_seconds: null, busy_ratio: null,
    budget_ratio: null, ...part,
  }
}

describe('sources', () => {
  it('stand in the order in which they need somebody, then by name as people count', () => {
    const sources = [source('nas10', 'up'), source('nas2', 'up'), source('shed', 'pushed'), source('old', 'removed'), source('z', 'up', { display_name: 'attic' }), source('late', 'stale'), source('web', 'up', { finding: 'http://wiki/: it answers 503' }), source('dns', 'down')]
    expect(sources.toSorted(compareSources).map(({ name }) => name)).toEqual(['dns', 'late', 'web', 'z', 'nas2', 'nas10', 'shed', 'old'])
    expect(countStates(sources)).toBe('1 down, 1 stale, 1 up with something found down, 3 up, 1 pushed, 1 removed')
    expect(countStates([])).toBe('')
    expect(tally(sources)).toBe('3 failing, 3 up, 1 pushed, 1 removed')
    expect(tally([source('a', 'up')])).toBe('1 up')
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

  it('tell what watching them costs only where it is known', () => {
    expect(busyText(source('a', 'up', { busy_ratio: 0.02, budget_ratio: 0.5 }))).toBe('busy 2.0\u202f% of at most 50.0\u202f%')
    expect(busyText(source('a', 'up', { busy_ratio: 0.02 }))).toBe('busy 2.0\u202f%')
    expect(busyText(source('a', 'up'))).toBeUndefined()
  })

  it('tell that they are asked less often than configured', () => {
    const slow = source('a', 'up', { interval_seconds: 30, configured_interval_seconds: 15 })
    expect(stretchText(slow)).toBe('instead of 15\u202fs: it answers slowly')
    expect(stretchText({ ...slow, configured_interval_seconds: 30 })).toBeUndefined()
    expect(stretchText({ ...slow, configured_interval_seconds: null })).toBeUndefined()
  })
})
