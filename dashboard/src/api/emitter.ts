type Handler<T> = (payload: T) => void

/** Named handlers, typed by the map of names to payloads. */
export class Emitter<Events> {
  readonly #handlers = new Map<keyof Events, Set<Handler<never>>>()

  on<K extends keyof Events>(name: K, handler: Handler<Events[K]>): () => void {
    const handlers = this.#handlers.get(name) ?? new Set()
    this.#handlers.set(name, handlers)
    handlers.add(handler)
    return () => {
      handlers.delete(handler)
      if (handlers.size === 0) this.#handlers.delete(name)
    }
  }

  emit<K extends keyof Events>(name: K, payload: Events[K]): void {
    // A copy: a handler may unsubscribe, or subscribe another, while it is called.
    const handlers = [...(this.#handlers.get(name) ?? [])]
    for (const handler of handlers) (handler as Handler<Events[K]>)(payload)
  }
}
