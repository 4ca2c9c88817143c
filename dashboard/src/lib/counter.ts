/** Turns readings of a counter into its rate per second; a counter that fell has started again at zero. */
export class CounterRate {
  #time: number | undefined
  #value = 0

  /** The rate since the reading before, or nothing when there is none or it is not older. */
  next(time: number, value: number): number | undefined {
    const since = this.#time
    if (since !== undefined && time <= since) return undefined
    const grown = value >= this.#value ? value - this.#value : value
    this.#time = time
    this.#value = value
    return since === undefined ? undefined : grown / ((time - since) / 1000)
  }
}
