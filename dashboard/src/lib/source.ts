import type { SourceInfo } from '../api/generated/SourceInfo'
import type { SourceState } from '../api/generated/SourceState'
import { formatDuration, formatNumber } from './format'
import { SOURCE_TONES } from './tone'
import type { Tone } from './tone'

const ORDER: readonly SourceState[] = ['down', 'stale', 'up', 'pushed', 'removed']

const byName = new Intl.Collator('en', { numeric: true, sensitivity: 'base' })

/** What a person calls it. */
export function sourceName({ name, display_name: shown }: SourceInfo): string {
  return shown ?? name
}

/** Whether somebody should look at it: it is down or silent, or found something to be down. */
export function needsLook({ state, finding }: SourceInfo): boolean {
  return state === 'down' || state === 'stale' || finding !== null
}

/** What needs a person stands first, then by name. */
export function compareSources(a: SourceInfo, b: SourceInfo): number {
  return (
    Number(needsLook(b)) - Number(needsLook(a)) ||
    ORDER.indexOf(a.state) - ORDER.indexOf(b.state) ||
    byName.compare(sourceName(a), sourceName(b))
  )
}

export function sourceTone({ state, finding }: SourceInfo): Tone {
  return finding === null ? SOURCE_TONES[state] : 'warn'
}

const FINDS = 'up with something found down'

/** `2 down, 1 stale, 1 up with something found down, 9 up`. */
export function countStates(sources: readonly SourceInfo[]): string {
  const words = sources.map(({ state, finding }) => (finding === null ? state : FINDS))
  return ORDER.flatMap((state) => (state === 'up' ? [FINDS, state] : [state]))
    .map((word) => ({ word, count: words.filter((one) => one === word).length }))
    .filter(({ count }) => count > 0)
    .map(({ word, count }) => `${count} ${word}`)
    .join(', ')
}

/** `1 failing, 10 up, 1 pushed`: how many need a look, and how the others do. */
export function tally(sources: readonly SourceInfo[]): string {
  const failing = sources.filter(needsLook).length
  const rest = countStates(sources.filter((source) => !needsLook(source)))
  return [failing > 0 ? `${failing} failing` : '', rest].filter(Boolean).join(', ')
}

/** Whether a name, kind, agent, state or class has the words that are searched for, in any order. */
export function sourceMatches(source: SourceInfo, search: string): boolean {
  const { name, display_name: shown, kind, agent, state, class: failure } = source
  const text = [name, shown, kind, agent, state, failure].join(' ').toLowerCase()
  return search.toLowerCase().split(/\s+/).every((word) => text.includes(word))
}

/** `for 5 min`: how long it has been as it is, where that is known. */
export function stateAge({ since }: SourceInfo, now: number): string | undefined {
  return since === null ? undefined : `for ${formatDuration(Math.max(0, now - since) / 1000)}`
}

/** `instead of 15 s: it answers slowly`, where it is asked less often than configured. */
export function stretchText({ interval_seconds: interval, configured_interval_seconds: configured }: SourceInfo): string | undefined {
  if (interval === null || configured === null || configured >= interval) return undefined
  return `instead of ${formatDuration(configured)}: it answers slowly`
}

/** `busy 0.8 % of at most 50 %`: the share of the time in which it is being asked. */
export function busyText({ busy_ratio: busy, budget_ratio: budget }: SourceInfo): string | undefined {
  if (busy === null) return undefined
  const share = `busy ${formatNumber(busy, 'ratio')}`
  return budget === null ? share : `${share} of at most ${formatNumber(budget, 'ratio')}`
}
