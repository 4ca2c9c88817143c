/** Delays between tries: they double up to a cap, and jitter keeps many clients from coming back at one instant. */
export class Backoff {
  #tries = 0

  constructor(
    private readonly first = 500,
    private readonly cap = 15_000,
    private readonly random: () => number = Math.random,
  ) {}

  /** Tries since the last success. */
  get tries(): number {
    return this.#tries
  }

  /** Milliseconds to wait before the next try: between half and all of the doubled delay. */
  next(): number {
    const delay = Math.min(this.cap, this.first * 2 ** this.#tries)
    this.#tries += 1
    return delay * (0.5 + this.random() / 2)
  }

  reset(): void {
    this.#tries = 0
  }
}
