import type { SourceState } from '../api/generated/SourceState'

/** How a state is coloured. Colour never stands alone: the word is beside it. */
export type Tone = 'good' | 'warn' | 'bad' | 'idle'

const WORDS: Readonly<Record<Exclude<Tone, 'idle'>, readonly string[]>> = {
  good: [
    'running', 'up', 'online', 'on', 'ok', 'healthy', 'active', 'normal', 'available', 'started', 'enabled', 'passed', 'true',
    'good', 'ready', 'safe',
  ],
  warn: [
    'paused', 'restarting', 'starting', 'degraded', 'warning', 'stale', 'stopping', 'rebuilding', 'removing', 'created', 'unknown',
    'recreated', 'restart', 'attention', 'abnormal', 'degrade', 'alarm', 'onbattery', 'unmounted', 'testing',
  ],
  bad: [
    'exited', 'dead', 'die', 'died', 'down', 'offline', 'unhealthy', 'failed', 'failing', 'crashed', 'error', 'critical', 'oom', 'kill',
    'unavailable', 'unreachable', 'danger', 'faulted', 'vanished',
  ],
}

const TONES = new Map(
  (['good', 'warn', 'bad'] as const).flatMap((tone) => WORDS[tone].map((word) => [word, tone] as const)),
)

/** The tone of a state's word; words that are not commonly good or bad stay neutral. */
export function toneOf(value: unknown): Tone {
  return TONES.get(String(value).toLowerCase()) ?? 'idle'
}

/** How much a tone asks to be looked at. */
export const WORSE: Readonly<Record<Tone, number>> = { idle: 0, good: 0, warn: 1, bad: 2 }

export const SOURCE_TONES: Readonly<Record<SourceState, Tone>> = {
  up: 'good',
  down: 'bad',
  stale: 'warn',
  pushed: 'idle',
  removed: 'idle',
}
