import { stepFor } from './range'

/** Samples per field that are drawn one by one; a longer range gets windows. */
const MAX_RAW = 1_000
/** How often a source is taken to speak that does not say so. */
const UNKNOWN_INTERVAL_S = 5

/** Width of the windows in seconds for a range of that length, or nothing for every sample. */
export function resolutionFor(milliseconds: number, intervalSeconds: number | null | undefined): number | undefined {
  const interval = intervalSeconds ?? UNKNOWN_INTERVAL_S
  if (milliseconds / 1000 / interval <= MAX_RAW) return undefined
  // Windows of at least two samples: shorter ones would show the jitter of the polls as jumps of a rate.
  return Math.max(stepFor(milliseconds), stepFor(2 * interval * 1000 * 720))
}
