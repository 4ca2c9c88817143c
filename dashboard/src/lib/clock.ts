/** Smaller differences are the time that the answer took. */
const TOLERANCE_MS = 2_000

/** The server's clock: all data carries its times, and this browser's clock may be wrong by minutes. */
class ServerClock {
  #ahead = 0

  /** Takes the server's now from an answer that came just now. */
  sync(serverNow: number): void {
    const ahead = serverNow - Date.now()
    this.#ahead = Math.abs(ahead) > TOLERANCE_MS ? ahead : 0
  }

  /** Unix milliseconds. */
  now(): number {
    return Date.now() + this.#ahead
  }
}

export const clock = new ServerClock()
