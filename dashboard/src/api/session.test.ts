import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import { Session } from './session'

type Answer = { status?: number; body?: unknown; headers?: Record<string, string> } | Error

/** Tabs that hear each other at once. */
class FakeChannel extends EventTarget {
  static all: FakeChannel[] = []

  constructor() {
    super()
    FakeChannel.all.push(this)
  }

  postMessage(data: unknown): void {
    for (const other of FakeChannel.all) if (other !== this) other.dispatchEvent(new MessageEvent('message', { data }))
  }
}

const calls: { path: string; init: RequestInit }[] = []
let answers: (path: string) => Answer

function login(token: string) {
  return { access_token: token, expires_in: 900, role: 'viewer', username: 'ada' }
}

function refused(status: number, code: string) {
  return { status, body: { error: { code, message: 'no', request_id: 'r1' } } }
}

function bearer({ init }: { init: RequestInit }): string | null {
  return new Headers(init.headers).get('authorization')
}

beforeEach(() => {
  vi.useFakeTimers()
  calls.length = 0
  FakeChannel.all = []
  vi.stubGlobal('BroadcastChannel', FakeChannel)
  vi.stubGlobal('fetch', async (path: string, init: RequestInit) => {
    calls.push({ path, init })
    const answer = answers(path)
    await Promise.resolve()
    if (answer instanceof Error) throw answer
    const { status = 200, body, headers = {} } = answer
    return new Response(body === undefined ? null : JSON.stringify(body), { status, headers })
  })
})

afterEach(() => {
  vi.useRealTimers()
  vi.unstubAllGlobals()
})

describe('Session', () => {
  it('refreshes once for all who ask together', async () => {
    answers = (path) => (path === '/auth/refresh' ? { body: login('t1') } : { body: { path } })
    const session = new Session()
    const results = await Promise.all([
      session.refresh(),
      session.request('/api/v1/sources'),
      session.request('/api/v1/catalog'),
    ])
    expect(results.slice(1)).toEqual([{ path: '/api/v1/sources' }, { path: '/api/v1/catalog' }])
    expect(calls.filter(({ path }) => path === '/auth/refresh')).toHaveLength(1)
    expect(session.state).toEqual({ status: 'authenticated', username: 'ada', role: 'viewer' })
  })

  it('renews a token that the server no longer takes, and asks again once', async () => {
    let valid = 't1'
    answers = (path) => {
      if (path === '/auth/refresh') return { body: login(valid) }
      const last = calls.at(-1)
      return last && bearer(last) === `Bearer ${valid}` ? { body: 'ok' } : refused(401, 'bad_token')
    }
    const session = new Session()
    await session.refresh()
    valid = 't2'
    expect(await Promise.all([session.request('/a'), session.request('/b')])).toEqual(['ok', 'ok'])
    expect(calls.filter(({ path }) => path === '/auth/refresh')).toHaveLength(2)
  })

  it('renews by itself before the token ends', async () => {
    let count = 0
    answers = () => {
      count += 1
      return { body: login(`t${count}`) }
    }
    const session = new Session()
    await session.refresh()
    await vi.advanceTimersByTimeAsync(719_000)
    expect(count).toBe(1)
    await vi.advanceTimersByTimeAsync(2_000)
    expect(count).toBe(2)
  })

  it('is anonymous without a cookie, and unreachable without a server', async () => {
    answers = () => refused(401, 'no_session')
    const session = new Session()
    expect(session.state.status).toBe('unknown')
    await session.refresh()
    expect(session.state.status).toBe('anonymous')
    answers = () => new TypeError('failed to fetch')
    const other = new Session()
    await other.refresh()
    expect(other.state.status).toBe('unreachable')
  })

  it('outlives a restart of the server', async () => {
    answers = () => ({ body: login('t1') })
    const session = new Session()
    await session.refresh()
    answers = () => new TypeError('failed to fetch')
    await session.refresh()
    expect(session.state.status).toBe('authenticated')
    answers = () => ({ body: login('t2') })
    await vi.advanceTimersByTimeAsync(5_000)
    answers = () => ({ body: 'ok' })
    await session.request('/a')
    expect(calls.at(-1)?.path).toBe('/a')
    expect(calls.at(-1) && bearer(calls.at(-1) ?? { init: {} })).toBe('Bearer t2')
  })

  it('says what the server said when a log-in is refused', async () => {
    answers = () => ({ ...refused(429, 'too_many_attempts'), headers: { 'retry-after': '30' } })
    const session = new Session()
    await expect(session.login('ada', 'x')).rejects.toMatchObject({ status: 429, code: 'too_many_attempts', retryAfter: 30, requestId: 'r1' })
    expect(session.state.status).toBe('unknown')
  })

  it('logs in and out in all tabs', async () => {
    answers = () => refused(401, 'no_session')
    const [tab, other] = [new Session(), new Session()]
    await Promise.all([tab.refresh(), other.refresh()])
    answers = () => ({ body: login('t1') })
    await tab.login('ada', 'secret')
    await vi.advanceTimersByTimeAsync(0)
    expect(other.state.status).toBe('authenticated')
    await tab.logout()
    expect(other.state.status).toBe('anonymous')
  })

  it('ends for good at log-out, but not when the server cannot be asked', async () => {
    answers = (path) => (path === '/auth/logout' ? new TypeError('failed to fetch') : { body: login('t1') })
    const session = new Session()
    await session.refresh()
    await expect(session.logout()).rejects.toThrow('cannot be reached')
    expect(session.state.status).toBe('authenticated')
    answers = () => ({ status: 204 })
    await session.logout()
    expect(session.state.status).toBe('anonymous')
    await vi.advanceTimersByTimeAsync(3_600_000)
    expect(calls.at(-1)?.path).toBe('/auth/logout')
  })
})
