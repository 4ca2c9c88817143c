import type { Metric } from './catalog'
import { capacityField } from './headline'
import { capitalise, DIRECTIONS, fieldWords, speak } from './words'

/** One line of a chart. */
export interface PanelSeries {
  readonly field: string
  readonly label: string
  readonly help: string
  /** The field with the whole of which this one is a part; it is written beside the value, not drawn. */
  readonly whole: string | undefined
}

/** One chart: fields of one unit that belong together. */
export interface Panel {
  readonly id: string
  readonly title: string
  readonly unit: string
  /** Counters are drawn as their rate per second. */
  readonly isRate: boolean
  readonly series: readonly PanelSeries[]
}

/** Lines of one chart at most; more cannot be told apart. */
const MAX_SERIES = 64

/** Topics that people look for first; all others follow by name. */
const TOPICS = ['cpu', 'memory', 'mem', 'swap', 'load', 'temperature', 'disk', 'read', 'network', 'net', 'rx']

function topicRank(words: readonly string[]): number {
  const rank = TOPICS.indexOf(words[0] ?? '')
  return rank === -1 ? TOPICS.length : rank
}

/** What fields of one chart share: the pattern they match, or the name without the words that tell them apart. */
function groupOf(metric: Metric): string {
  if (metric.pattern !== metric.field) return metric.pattern
  const words = fieldWords(metric.field)
  const rest = words.filter((word) => !DIRECTIONS.has(word))
  return rest.length < words.length ? `${rest.join('_')}/directions` : (words[0] ?? metric.field)
}

function commonStart(lists: readonly (readonly string[])[]): number {
  const [first = []] = lists
  const differs = first.findIndex((word, index) => lists.some((list) => list[index] !== word))
  const shared = differs === -1 ? first.length : differs
  // A label needs at least one word of its own.
  return Math.min(shared, ...lists.map((list) => Math.max(0, list.length - 1)))
}

function panelOf(id: string, metrics: readonly Metric[], first: Metric, wholes: ReadonlyMap<string, string>): Panel {
  const words = metrics.map(({ field }) => fieldWords(field))
  const shared = commonStart(words)
  const isPattern = first.pattern !== first.field
  const commonTitle = isPattern
    ? fieldWords(first.pattern).filter((word) => word !== '*')
    : (words[0] ?? []).slice(0, metrics.length === 1 ? undefined : shared)
  const labels = words.map((list) => (metrics.length === 1 ? list : list.slice(shared)))
  const title = commonTitle.length > 0 ? speak(commonTitle) : labels.map((list) => speak(list)).join(', ')
  return {
    id,
    title: capitalise(title) + (isPattern ? `, each of ${metrics.length}` : ''),
    unit: first.unit,
    isRate: first.kind === 'counter',
    series: metrics.slice(0, MAX_SERIES).map(({ field, help }, index) => ({
      field,
      label: speak(labels[index] ?? []),
      help,
      whole: wholes.get(field),
    })),
  }
}

/** Parts and their wholes: `memory_used_bytes` → `memory_total_bytes`. */
function wholesOf(metrics: readonly Metric[]): Map<string, string> {
  const fields = new Set(metrics.map(({ field }) => field))
  return new Map(
    metrics.flatMap(({ field }) => {
      const whole = capacityField(field, (name) => fields.has(name))
      return whole === undefined ? [] : [[field, whole] as const]
    }),
  )
}

const byField = new Intl.Collator('en', { numeric: true })

/** Arranges the numeric metrics of one entity into charts, from nothing but the catalogue and the fields' names. */
export function panelsOf(metrics: readonly Metric[]): Panel[] {
  const wholes = wholesOf(metrics)
  const drawnBeside = new Set(wholes.values())
  const groups = new Map<string, Metric[]>()
  for (const metric of metrics) {
    if (metric.kind === 'state' || drawnBeside.has(metric.field)) continue
    const id = `${groupOf(metric)}:${metric.unit}:${metric.kind}`
    groups.set(id, [...(groups.get(id) ?? []), metric])
  }
  return [...groups]
    .map(([id, group]) => {
      const sorted = group.toSorted((a, b) => byField.compare(a.field, b.field))
      return { panel: sorted[0] && panelOf(id, sorted, sorted[0], wholes), words: fieldWords(sorted[0]?.field ?? '') }
    })
    .toSorted((a, b) => topicRank(a.words) - topicRank(b.words) || byField.compare(a.words.join(' '), b.words.join(' ')))
    .flatMap(({ panel }) => panel ?? [])
}
