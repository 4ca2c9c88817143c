import { Backoff } from './backoff'
import { Emitter } from './emitter'
import { readMessage } from './messages'
import type { GapMessage, LiveFilter, LiveStatus, RealtimeEvents, UpdateMessage } from './messages'

export interface SubscriptionHandlers {
  /** An event of this subscription, once and in the log's order. */
  readonly onUpdate?: (message: UpdateMessage) => void
  /** The log no longer holds what came after the last position: ask for the history again. */
  readonly onGap?: (message: GapMessage) => void
}

interface Subscription extends SubscriptionHandlers {
  readonly id: string
  readonly filter: LiveFilter
  /** After the last event seen: where the stream goes on when the connection comes back. */
  position: string | undefined
}

export interface RealtimeOptions {
  readonly url?: string
  /** A silent connection is asked for a sign of life after this long, and given up after twice as long. */
  readonly quietMs?: number
  /** Without a connection for this long, the state is `offline` and no longer `reconnecting`. */
  readonly offlineMs?: number
  readonly backoff?: Backoff
}

function defaultUrl(): string {
  const url = new URL('/realtime', window.location.href)
  url.protocol = url.protocol === 'https:' ? 'wss:' : 'ws:'
  return url.href
}

/**
 * One WebSocket for the whole dashboard. It comes back by itself, and every subscription then goes on after the last
 * event that it saw: nothing is missed and nothing comes twice.
 *
 * ```ts
 * const realtime = new Realtime(() => session.ticket())
 * realtime.on('container-update', (message) => console.log(message.data.fields))
 * const unsubscribe = realtime.subscribe({ type: 'container' })
 * realtime.start()
 * ```
 */
export class Realtime {
  readonly #events = new Emitter<RealtimeEvents>()
  readonly #subscriptions = new Map<string, Subscription>()
  readonly #url: string
  readonly #quietMs: number
  readonly #offlineMs: number
  readonly #backoff: Backoff
  #socket: WebSocket | undefined
  #status: LiveStatus = 'connecting'
  #running = false
  #attempt = 0
  #nextId = 1
  #lostAt = 0
  #heardAt = 0
  #retryTimer: ReturnType<typeof setTimeout> | undefined
  #quietTimer: ReturnType<typeof setInterval> | undefined

  constructor(
    private readonly getTicket: () => Promise<string>,
    options: RealtimeOptions = {},
  ) {
    this.#url = options.url ?? defaultUrl()
    this.#quietMs = options.quietMs ?? 20_000
    this.#offlineMs = options.offlineMs ?? 20_000
    this.#backoff = options.backoff ?? new Backoff()
  }

  get status(): LiveStatus {
    return this.#status
  }

  /** Calls `handler` for every message of that name, whichever subscription brought it. Returns how to stop. */
  on<K extends keyof RealtimeEvents>(name: K, handler: (payload: RealtimeEvents[K]) => void): () => void {
    return this.#events.on(name, handler)
  }

  /** Asks for events, from now or from after a position. Returns how to stop. */
  subscribe(filter: LiveFilter, from?: string, handlers: SubscriptionHandlers = {}): () => void {
    const subscription: Subscription = { ...handlers, id: `s${this.#nextId}`, filter, position: from }
    this.#nextId += 1
    this.#subscriptions.set(subscription.id, subscription)
    if (this.#isOpen()) this.#ask(subscription)
    return () => {
      if (!this.#subscriptions.delete(subscription.id)) return
      if (this.#isOpen()) this.#send({ op: 'unsubscribe', id: subscription.id })
    }
  }

  start(): void {
    if (this.#running) return
    this.#running = true
    this.#lostAt = Date.now()
    window.addEventListener('online', this.#wake)
    window.addEventListener('offline', this.#doze)
    document.addEventListener('visibilitychange', this.#wake)
    void this.#connect()
  }

  stop(): void {
    this.#running = false
    this.#attempt += 1
    clearTimeout(this.#retryTimer)
    window.removeEventListener('online', this.#wake)
    window.removeEventListener('offline', this.#doze)
    document.removeEventListener('visibilitychange', this.#wake)
    this.#dropSocket()
  }

  /** The network or the person is back: do not wait out the delay. */
  readonly #wake = (): void => {
    if (!this.#running || document.visibilityState === 'hidden') return
    if (this.#socket) this.#checkQuiet()
    else if (this.#retryTimer !== undefined) void this.#connect()
  }

  readonly #doze = (): void => {
    if (this.#running) this.#setStatus('offline')
  }

  async #connect(): Promise<void> {
    clearTimeout(this.#retryTimer)
    this.#retryTimer = undefined
    this.#attempt += 1
    const attempt = this.#attempt
    let ticket: string
    try {
      ticket = await this.getTicket()
    } catch {
      if (attempt === this.#attempt) this.#retry()
      return
    }
    if (attempt !== this.#attempt) return
    const socket = new WebSocket(`${this.#url}?ticket=${encodeURIComponent(ticket)}`)
    this.#socket = socket
    this.#heardAt = Date.now()
    this.#quietTimer = setInterval(() => this.#checkQuiet(), this.#quietMs / 2)
    socket.addEventListener('open', () => {
      if (socket === this.#socket) this.#opened()
    })
    socket.addEventListener('message', (message: MessageEvent<unknown>) => {
      if (socket === this.#socket) this.#receive(message.data)
    })
    socket.addEventListener('close', () => {
      if (socket === this.#socket) this.#lost()
    })
  }

  #opened(): void {
    this.#heardAt = Date.now()
    for (const subscription of this.#subscriptions.values()) this.#ask(subscription)
    this.#setStatus('live')
  }

  #receive(data: unknown): void {
    this.#heardAt = Date.now()
    // Only a connection that works ends the doubling: one that is closed right after opening must not be hammered.
    this.#backoff.reset()
    const message = readMessage(data)
    if (!message) return
    const subscription = message.id === undefined ? undefined : this.#subscriptions.get(message.id)
    // A message that crossed our unsubscribe.
    if (message.id !== undefined && !subscription) return
    switch (message.kind) {
      case 'update':
        if (subscription) subscription.position = message.position
        subscription?.onUpdate?.(message)
        this.#events.emit(message.event, message)
        break
      case 'subscribed':
        if (subscription) subscription.position = message.position ?? subscription.position
        break
      case 'gap':
        if (subscription) subscription.position = message.newest ?? undefined
        subscription?.onGap?.(message)
        this.#events.emit('gap', message)
        break
      case 'error':
        this.#events.emit('error', message)
        break
    }
  }

  #checkQuiet(): void {
    const quiet = Date.now() - this.#heardAt
    if (quiet >= 2 * this.#quietMs) this.#lost()
    else if (quiet >= this.#quietMs / 2 && this.#isOpen()) this.#send({ op: 'ping' })
  }

  #lost(): void {
    if (this.#status === 'live') this.#lostAt = Date.now()
    this.#dropSocket()
    this.#retry()
  }

  #retry(): void {
    if (!this.#running) return
    const offline = !navigator.onLine || Date.now() - this.#lostAt >= this.#offlineMs
    if (offline) this.#setStatus('offline')
    else if (this.#status !== 'connecting') this.#setStatus('reconnecting')
    this.#retryTimer = setTimeout(() => void this.#connect(), this.#backoff.next())
  }

  #dropSocket(): void {
    clearInterval(this.#quietTimer)
    const socket = this.#socket
    this.#socket = undefined
    socket?.close()
  }

  #isOpen(): boolean {
    return this.#socket?.readyState === WebSocket.OPEN
  }

  #ask({ id, filter, position }: Subscription): void {
    this.#send({ op: 'subscribe', id, filter, ...(position === undefined ? {} : { from: position }) })
  }

  #send(message: object): void {
    this.#socket?.send(JSON.stringify(message))
  }

  #setStatus(status: LiveStatus): void {
    if (status === this.#status) return
    this.#status = status
    this.#events.emit('status', status)
  }
}
