/** A stretch of time in which a state stayed the same; without a value, nothing was heard. */
export interface StateSpan {
  readonly from: number
  /** The last reading, or the next change. */
  readonly to: number
  readonly value: string | undefined
}

/** Readings may be this many usual intervals apart before the state counts as not known. */
const GAP_INTERVALS = 3.5
const MAX_SPANS = 2_000

/** What a state was and since when, from readings in the order of time. */
export class StateTrack {
  readonly #spans: StateSpan[] = []
  readonly #distances: number[] = []
  #interval = 0

  get spans(): readonly StateSpan[] {
    return this.#spans
  }

  add(time: number, value: string): void {
    const last = this.#spans.at(-1)
    if (last && time <= last.to) return
    if (!last) {
      this.#spans.push({ from: time, to: time, value })
      return
    }
    const distance = time - last.to
    if (this.#interval > 0 && distance > GAP_INTERVALS * this.#interval) {
      this.#spans.push({ from: last.to, to: time, value: undefined }, { from: time, to: time, value })
    } else if (last.value === value) {
      this.#spans[this.#spans.length - 1] = { ...last, to: time }
    } else {
      this.#spans[this.#spans.length - 1] = { ...last, to: time }
      this.#spans.push({ from: time, to: time, value })
    }
    this.#learn(distance)
    if (this.#spans.length > MAX_SPANS) this.#spans.splice(0, MAX_SPANS / 4)
  }

  /** The usual distance between readings: the median of the first few dozen. */
  #learn(distance: number): void {
    if (this.#distances.length >= 31) return
    this.#distances.push(distance)
    const sorted = this.#distances.toSorted((a, b) => a - b)
    this.#interval = sorted[Math.floor(sorted.length / 2)] ?? 0
  }
}
