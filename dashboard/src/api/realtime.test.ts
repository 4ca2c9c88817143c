import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import type { ApiEvent } from './generated/ApiEvent'
import { Realtime } from './realtime'

/** A WebSocket whose other end is the test. */
class FakeSocket extends EventTarget {
  static readonly OPEN = 1
  static all: FakeSocket[] = []
  readyState = 0
  readonly sent: Record<string, unknown>[] = []

  constructor(readonly url: string) {
    super()
    FakeSocket.all.push(this)
  }

  static get last(): FakeSocket {
    const socket = FakeSocket.all.at(-1)
    if (!socket) throw new Error('no socket was opened')
    return socket
  }

  send(text: string): void {
    this.sent.push(JSON.parse(text) as Record<string, unknown>)
  }

  close(): void {
    if (this.readyState === 3) return
    this.readyState = 3
    this.dispatchEvent(new Event('close'))
  }

  accept(): void {
    this.readyState = FakeSocket.OPEN
    this.dispatchEvent(new Event('open'))
  }

  say(message: object | string): void {
    const data = typeof message === 'string' ? message : JSON.stringify(message)
    this.dispatchEvent(new MessageEvent('message', { data }))
  }
}

function update(position: string, id = 's1', type = 'container') {
  const data: Partial<ApiEvent> = { id: `d:e:${position}`, type: 'sample', fields: { cpu_ratio: 0.5 } }
  return { event: `${type}-update`, id, position, data }
}

const opened: Realtime[] = []

function open(getTicket: () => Promise<string> = () => Promise.resolve('a b')): Realtime {
  const realtime = new Realtime(getTicket, { url: 'ws://lab/realtime', quietMs: 20_000, offlineMs: 20_000 })
  opened.push(realtime)
  realtime.start()
  return realtime
}

beforeEach(() => {
  vi.useFakeTimers()
  vi.stubGlobal('WebSocket', FakeSocket)
  vi.spyOn(Math, 'random').mockReturnValue(1)
  FakeSocket.all = []
})

afterEach(() => {
  for (const realtime of opened.splice(0)) realtime.stop()
  vi.useRealTimers()
  vi.unstubAllGlobals()
})

describe('Realtime', () => {
  it('opens with a ticket and tells its state', async () => {
    const realtime = open()
    const states: string[] = []
    realtime.on('status', (status) => states.push(status))
    expect(realtime.status).toBe('connecting')
    await vi.advanceTimersByTimeAsync(0)
    expect(FakeSocket.last.url).toBe('ws://lab/realtime?ticket=a%20b')
    FakeSocket.last.accept()
    expect(states).toEqual(['live'])
  })

  it('hands updates to whoever listens for that type, until they stop', async () => {
    const realtime = open()
    const seen: string[] = []
    const own: string[] = []
    const stop = realtime.on('container-update', ({ position }) => seen.push(position))
    realtime.subscribe({ type: 'container' }, undefined, { onUpdate: ({ position }) => own.push(position) })
    await vi.advanceTimersByTimeAsync(0)
    FakeSocket.last.accept()
    expect(FakeSocket.last.sent).toEqual([{ op: 'subscribe', id: 's1', filter: { type: 'container' } }])
    FakeSocket.last.say(update('p1'))
    FakeSocket.last.say(update('p2', 's1', 'host'))
    stop()
    FakeSocket.last.say(update('p3'))
    expect(seen).toEqual(['p1'])
    expect(own).toEqual(['p1', 'p2', 'p3'])
  })

  it('goes on after the last event of each subscription when it comes back', async () => {
    const realtime = open()
    const seen: string[] = []
    realtime.subscribe({ entity: 'a' }, 'p0', { onUpdate: ({ position }) => seen.push(position) })
    realtime.subscribe({ entity: 'b' })
    realtime.subscribe({ entity: 'c' }, 'p5')
    await vi.advanceTimersByTimeAsync(0)
    FakeSocket.last.accept()
    FakeSocket.last.say({ event: 'subscribed', id: 's2', position: 'p4' })
    FakeSocket.last.say(update('p1', 's1'))
    FakeSocket.last.say(update('p2', 's1'))
    const first = FakeSocket.last
    first.close()
    expect(realtime.status).toBe('reconnecting')
    // What arrives on a connection that was given up counts for nothing.
    first.say(update('p3', 's1'))
    await vi.advanceTimersByTimeAsync(500)
    expect(FakeSocket.last).not.toBe(first)
    FakeSocket.last.accept()
    expect(realtime.status).toBe('live')
    expect(FakeSocket.last.sent.map(({ id, from }) => [id, from])).toEqual([
      ['s1', 'p2'],
      ['s2', 'p4'],
      ['s3', 'p5'],
    ])
    FakeSocket.last.say(update('p3', 's1'))
    expect(seen).toEqual(['p1', 'p2', 'p3'])
  })

  it('forgets a subscription that ended', async () => {
    const realtime = open()
    const seen: string[] = []
    const stop = realtime.subscribe({ entity: 'a' }, undefined, { onUpdate: ({ position }) => seen.push(position) })
    await vi.advanceTimersByTimeAsync(0)
    FakeSocket.last.accept()
    stop()
    stop()
    expect(FakeSocket.last.sent.at(-1)).toEqual({ op: 'unsubscribe', id: 's1' })
    FakeSocket.last.say(update('p1'))
    FakeSocket.last.close()
    await vi.advanceTimersByTimeAsync(500)
    FakeSocket.last.accept()
    expect(FakeSocket.last.sent).toEqual([])
    expect(seen).toEqual([])
  })

  it('tells of a gap and goes on from what there is', async () => {
    const realtime = open()
    const gaps: (string | undefined)[] = []
    realtime.subscribe({}, 'p0', { onGap: ({ newest }) => gaps.push(newest) })
    await vi.advanceTimersByTimeAsync(0)
    FakeSocket.last.accept()
    FakeSocket.last.say({ event: 'gap', id: 's1', oldest: 'p7', newest: 'p9' })
    expect(gaps).toEqual(['p9'])
    FakeSocket.last.close()
    await vi.advanceTimersByTimeAsync(500)
    FakeSocket.last.accept()
    expect(FakeSocket.last.sent[0]).toMatchObject({ from: 'p9' })
  })

  it('tries less and less often, and says so when it has been long', async () => {
    const getTicket = vi.fn<() => Promise<string>>().mockRejectedValue(new Error('no network'))
    const realtime = open(getTicket)
    await vi.advanceTimersByTimeAsync(0)
    expect(getTicket).toHaveBeenCalledTimes(1)
    await vi.advanceTimersByTimeAsync(500)
    expect(getTicket).toHaveBeenCalledTimes(2)
    await vi.advanceTimersByTimeAsync(999)
    expect(getTicket).toHaveBeenCalledTimes(2)
    await vi.advanceTimersByTimeAsync(1)
    expect(getTicket).toHaveBeenCalledTimes(3)
    await vi.advanceTimersByTimeAsync(60_000)
    expect(realtime.status).toBe('offline')
    const calls = getTicket.mock.calls.length
    await vi.advanceTimersByTimeAsync(60_000)
    expect(getTicket.mock.calls.length - calls).toBe(4)
    // The network is back: no waiting.
    getTicket.mockResolvedValue('t')
    window.dispatchEvent(new Event('online'))
    await vi.advanceTimersByTimeAsync(0)
    FakeSocket.last.accept()
    expect(realtime.status).toBe('live')
  })

  it('gives up a connection that has fallen silent', async () => {
    const realtime = open()
    await vi.advanceTimersByTimeAsync(0)
    const first = FakeSocket.last
    first.accept()
    await vi.advanceTimersByTimeAsync(10_000)
    expect(first.sent).toEqual([{ op: 'ping' }])
    first.say({ event: 'pong' })
    await vi.advanceTimersByTimeAsync(30_000)
    expect(realtime.status).toBe('live')
    await vi.advanceTimersByTimeAsync(10_000)
    expect(realtime.status).toBe('reconnecting')
    expect(first.readyState).toBe(3)
  })

  it('takes no harm from what it does not understand', async () => {
    const realtime = open()
    const errors: string[] = []
    realtime.on('error', ({ code }) => errors.push(code))
    await vi.advanceTimersByTimeAsync(0)
    FakeSocket.last.accept()
    for (const message of ['', '{', '[]', 'null', '5', '{"event":5}', '{"event":"container-update"}', '{"event":"new"}']) {
      FakeSocket.last.say(message)
    }
    FakeSocket.last.say({ event: 'error', code: 'too_many', message: 'too many subscriptions' })
    expect(errors).toEqual(['too_many'])
    expect(realtime.status).toBe('live')
  })

  it('stays closed once stopped', async () => {
    const realtime = open()
    await vi.advanceTimersByTimeAsync(0)
    FakeSocket.last.accept()
    realtime.stop()
    await vi.advanceTimersByTimeAsync(120_000)
    expect(FakeSocket.all).toHaveLength(1)
    expect(FakeSocket.last.readyState).toBe(3)
  })
})
