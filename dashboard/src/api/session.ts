import { ApiError, NetworkError } from './errors'
import type { LoginResponse } from './generated/LoginResponse'
import type { Role } from './generated/Role'
import type { SetupRequest } from './generated/SetupRequest'
import type { SetupState } from './generated/SetupState'
import type { Ticket } from './generated/Ticket'
import { request } from './http'
import type { RequestOptions } from './http'

/** Who is looking. `unknown` until the first refresh is answered. */
export type SessionState =
  | { readonly status: 'unknown' }
  | { readonly status: 'anonymous' }
  | { readonly status: 'unreachable'; readonly error: unknown }
  | { readonly status: 'authenticated'; readonly username: string; readonly role: Role }

/** The token is renewed when this part of its life is over. */
const RENEW_AFTER = 0.8
const RETRY_MS = 5_000
/** Longest delay that timers keep exactly. */
const LONGEST_TIMER_MS = 2 ** 31 - 1

/** Tabs share the refresh cookie, which changes with every use: only one of them may use it at a time. */
async function oneTabAtATime<T>(work: () => Promise<T>): Promise<T> {
  // Browsers have locks only where the page is secure; elsewhere the server's grace for a used cookie has to do.
  const locks: LockManager | null | undefined = navigator.locks
  return locks ? locks.request('homelog.refresh', work) : work()
}

/**
 * The session of this tab. The access token lives in memory only; the refresh token is a cookie that no script sees.
 */
export class Session {
  #state: SessionState = { status: 'unknown' }
  #token: string | undefined
  #expiresAt = 0
  #refreshing: Promise<void> | undefined
  #renewTimer: ReturnType<typeof setTimeout> | undefined
  readonly #listeners = new Set<() => void>()
  readonly #tabs = typeof BroadcastChannel === 'undefined' ? undefined : new BroadcastChannel('homelog.session')

  constructor() {
    this.#tabs?.addEventListener('message', (message: MessageEvent<unknown>) => {
      if (message.data === 'logout') this.#end()
      if (message.data === 'login' && this.#state.status === 'anonymous') void this.refresh()
    })
  }

  get state(): SessionState {
    return this.#state
  }

  /** For `useSyncExternalStore`. */
  readonly subscribe = (listener: () => void): (() => void) => {
    this.#listeners.add(listener)
    return () => this.#listeners.delete(listener)
  }

  async login(username: string, password: string): Promise<void> {
    this.#begin(await request<LoginResponse>('/auth/login', { method: 'POST', body: { username, password } }))
    this.#tabs?.postMessage('login')
  }

  /** Whether the first admin has yet to be made. */
  async isSetupNeeded(): Promise<boolean> {
    return (await request<SetupState>('/auth/setup')).needed
  }

  /** Makes the first admin with the token of the one-time link, and is logged in then. */
  async setUp(setup: SetupRequest): Promise<void> {
    this.#begin(await request<LoginResponse>('/auth/setup', { method: 'POST', body: setup }))
  }

  /** Ends the session on the server, then here and in other tabs. A server that cannot be asked throws. */
  async logout(): Promise<void> {
    try {
      await this.request('/auth/logout', { method: 'POST' })
    } catch (error) {
      // Already ended.
      if (!(error instanceof ApiError) || error.status !== 401) throw error
    }
    this.#end()
    this.#tabs?.postMessage('logout')
  }

  /** Renews the access token. Callers that come together share one request. Never throws: the state tells. */
  refresh(): Promise<void> {
    this.#refreshing ??= oneTabAtATime(() => this.#refresh()).finally(() => {
      this.#refreshing = undefined
    })
    return this.#refreshing
  }

  /** A ticket that opens one WebSocket. */
  async ticket(): Promise<string> {
    return (await this.request<Ticket>('/auth/ticket', { method: 'POST' })).ticket
  }

  /** A request as this user; an access token that ran out is renewed and the request made again, once. */
  async request<T>(path: string, options: Omit<RequestOptions, 'token'> = {}): Promise<T> {
    if (this.#token === undefined || Date.now() >= this.#expiresAt) await this.refresh()
    const token = this.#token
    try {
      return await request<T>(path, { ...options, token })
    } catch (error) {
      if (!(error instanceof ApiError) || error.status !== 401) throw error
      // Another request may have renewed it meanwhile.
      if (this.#token === token) await this.refresh()
      if (this.#token === undefined) throw error
      return request<T>(path, { ...options, token: this.#token })
    }
  }

  async #refresh(): Promise<void> {
    try {
      this.#begin(await request<LoginResponse>('/auth/refresh', { method: 'POST' }))
    } catch (error) {
      const isTemporary = error instanceof NetworkError || (error instanceof ApiError && error.status >= 429)
      if (!isTemporary) this.#end()
      else if (this.#state.status === 'authenticated') this.#renewIn(RETRY_MS)
      else this.#set({ status: 'unreachable', error })
    }
  }

  #begin({ access_token: token, expires_in: seconds, username, role }: LoginResponse): void {
    this.#token = token
    this.#expiresAt = Date.now() + seconds * 1000
    this.#renewIn(seconds * 1000 * RENEW_AFTER)
    this.#set({ status: 'authenticated', username, role })
  }

  #end(): void {
    clearTimeout(this.#renewTimer)
    this.#token = undefined
    this.#expiresAt = 0
    this.#set({ status: 'anonymous' })
  }

  #renewIn(milliseconds: number): void {
    clearTimeout(this.#renewTimer)
    this.#renewTimer = setTimeout(() => void this.refresh(), Math.min(milliseconds, LONGEST_TIMER_MS))
  }

  #set(state: SessionState): void {
    const before = this.#state
    const isSame =
      state.status === 'authenticated' &&
      before.status === 'authenticated' &&
      state.username === before.username &&
      state.role === before.role
    if (isSame) return
    this.#state = state
    for (const listener of this.#listeners) listener()
  }
}
