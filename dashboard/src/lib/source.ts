import type { SourceInfo } from '../api/generated/SourceInfo'
import type { SourceState } from '../api/generated/SourceState'
import { formatDuration, formatNumber } from './format'

/** What needs a person stands first. */
const ORDER: readonly SourceState[] = ['down', 'stale', 'up', 'pushed', 'removed']

const byName = new Intl.Collator('en', { numeric: true, sensitivity: 'base' })

export function compareSources(a: SourceInfo, b: SourceInfo): number {
  return ORDER.indexOf(a.state) - ORDER.indexOf(b.state) || byName.compare(a.name, b.name)
}

/** `2 down, 1 stale, 9 up`. */
export function countStates(sources: readonly SourceInfo[]): string {
  return ORDER.map((state) => ({ state, count: sources.filter((source) => source.state === state).length }))
    .filter(({ count }) => count > 0)
    .map(({ state, count }) => `${count} ${state}`)
    .join(', ')
}

/** Whether name, kind, agent, state or class has the words that are searched for, in any order. */
export function sourceMatches({ name, display_name: shown, kind, agent, state, class: failure }: SourceInfo, search: string): boolean {
  const text = [name, shown, kind, agent, state, failure].join(' ').toLowerCase()
  return search.toLowerCase().split(/\s+/).every((word) => text.includes(word))
}

/** `for 5 min`: how long it has been as it is, where that is known. */
export function stateAge({ since }: SourceInfo, now: number): string | undefined {
  return since === null ? undefined : `for ${formatDuration(Math.max(0, now - since) / 1000)}`
}

/** Share of the time in which it is being asked, as the collector measured it. */
export function pollShare({ busy_ratio: busy }: SourceInfo): string | undefined {
  return busy === null ? undefined : formatNumber(busy, 'ratio')
}
