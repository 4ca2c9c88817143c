import { createMemoryHistory } from '@tanstack/react-router'
import { cleanup, fireEvent, render, screen, waitFor, within } from '@testing-library/react'
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import { Session } from './api/session'
import { App } from './App'
import { createAppRouter } from './router'

const NOW = Date.now()
const KEY = 'atlas.docker/container/shop%2Fweb'

const metric = { entity_type: 'container', unit: 'ratio', kind: 'gauge', value: 'float', help: '' }
const entity = {
  key: KEY,
  source: 'atlas.docker',
  type: 'container',
  id: 'shop/web',
  labels: { name: 'shop-web', image: 'nginx:1.27' },
  fields: { cpu_ratio: { value: 0.25, time: NOW }, state: { value: 'running', time: NOW } },
}
const source = {
  name: 'atlas.docker', kind: 'docker', agent: 'atlas', state: 'down', reason: 'the socket is gone', class: 'unreachable',
  fix: 'check the address', finding: null, since: NOW - 90_000, last_event: NOW, display_name: null, interval_seconds: 5, configured_interval_seconds: 5, poll_seconds: 0.04, busy_ratio: 0.008, budget_ratio: 0.5, skew_seconds: null, entities: 1,
}

/** What the server answers, by path; a path that is not here is an error of the server. */
let answers: Record<string, unknown>
let entities: unknown[]

function reply(path: string): Response {
  const body = answers[path.split('?')[0] ?? '']
  if (body instanceof Response) return body.clone()
  const error = { error: { code: 'broken', message: `no answer for ${path}`, request_id: 'r9' } }
  return new Response(JSON.stringify(body ?? error), { status: body === undefined ? 500 : 200 })
}

class FakeSocket extends EventTarget {
  static readonly OPEN = 1
  static last: FakeSocket | undefined
  readyState = 0
  readonly sent: { op: string; id: string; from?: string; filter?: object }[] = []

  constructor() {
    super()
    FakeSocket.last = this
  }

  send(text: string): void {
    this.sent.push(JSON.parse(text) as (typeof this.sent)[number])
  }

  close(): void {
    this.readyState = 3
  }

  accept(): void {
    this.readyState = FakeSocket.OPEN
    this.dispatchEvent(new Event('open'))
  }

  say(message: object): void {
    this.dispatchEvent(new MessageEvent('message', { data: JSON.stringify(message) }))
  }
}

function open(path: string) {
  const history = createMemoryHistory({ initialEntries: [path] })
  render(<App session={new Session()} router={createAppRouter(history)} />)
  return history
}

const login = { access_token: 't', expires_in: 900, role: 'viewer', username: 'ada' }
const noSession = new Response(JSON.stringify({ error: { code: 'no_session', message: 'no', request_id: 'r' } }), { status: 401 })

beforeEach(() => {
  entities = [entity]
  answers = {
    '/auth/refresh': login,
    '/auth/ticket': { ticket: 'once', expires_in: 30 },
    '/auth/setup': { needed: false },
    '/api/v1/catalog': { metrics: [{ ...metric, field: 'cpu_ratio' }] },
    '/api/v1/sources': { position: 'p1', sources: [source] },
    '/api/v1/preferences': { preferences: {} },
    '/api/v1/range': { position: 'p1', from: 0, to: NOW, step: 15_000, tier: 'raw', series: [] },
    get '/api/v1/entities'() {
      return { position: 'p7', entities }
    },
  }
  vi.stubGlobal('fetch', (path: string) => Promise.resolve(reply(path)))
  vi.stubGlobal('WebSocket', FakeSocket)
  vi.stubGlobal('BroadcastChannel', undefined)
  FakeSocket.last = undefined
})

afterEach(() => {
  cleanup()
  vi.unstubAllGlobals()
})

describe('the overview', () => {
  it('shows sources with their reasons, and entities with their values', async () => {
    open('/')
    const row = await screen.findByRole('row', { name: /shop-web/ })
    expect(within(row).getByTestId('value').textContent).toBe('25.0\u202f%')
    expect(within(row).getByTestId('entity-state').textContent).toBe('running')
    const card = screen.getByTestId('source')
    expect(card.dataset.state).toBe('down')
    expect(card.textContent).toContain('the socket is gone')
  })

  it('shows the sources that need somebody, and where the others are', async () => {
    const many = Array.from({ length: 40 }, (_, nth) => ({
      ...source, name: `s${nth}`, state: nth === 15 ? 'down' : 'up', reason: nth === 15 ? 'the socket is gone' : null,
      finding: nth === 20 ? 'http://wiki/: it answers 503' : null,
    }))
    answers['/api/v1/sources'] = { position: 'p1', sources: many }
    open('/?source=s39')
    const link = await screen.findByRole('link', { name: 'All 40 sources' })
    expect(link.getAttribute('href')).toBe('/sources')
    expect(screen.getByTestId('source-tally').textContent).toMatch(/^2 failing, 38 up/)
    const failing = within(screen.getByRole('list', { name: 'Sources that need a look' })).getAllByTestId('source')
    expect(failing.map(({ dataset }) => dataset.source)).toEqual(['s15', 's20'])
    expect(failing.map(({ textContent }) => textContent)).toEqual([
      expect.stringContaining('the socket is gone'), expect.stringContaining('it answers 503'),
    ])
    const well = within(screen.getByRole('list', { name: 'Sources that are well' })).getAllByTestId('source')
    expect(well, 'no more than fit').toHaveLength(24)
    expect(well[0]?.dataset.source, 'what is chosen is in sight').toBe('s39')
    expect(well[0]?.getAttribute('aria-pressed')).toBe('true')
    expect(well[1]?.textContent, 'what is well is a name').toBe('s0')
  })

  it('shows no more of a network that is gone than fits', async () => {
    const many = Array.from({ length: 30 }, (_, nth) => ({ ...source, name: `s${nth}` }))
    answers['/api/v1/sources'] = { position: 'p1', sources: many }
    open('/')
    expect((await screen.findByTestId('source-tally')).textContent).toBe('30 failing · All 30 sources')
    expect(screen.getAllByTestId('source')).toHaveLength(6)
    expect(screen.queryByRole('list', { name: 'Sources that are well' })).toBeNull()
  })

  it('moves with what comes live, from the position of what was loaded', async () => {
    open('/')
    const row = await screen.findByRole('row', { name: /shop-web/ })
    await waitFor(() => expect(FakeSocket.last).toBeDefined())
    const socket = FakeSocket.last
    socket?.accept()
    await waitFor(() => expect(screen.getByTestId('connection-state').dataset.state).toBe('live'))
    const asked = socket?.sent.find(({ filter }) => JSON.stringify(filter) === '{}')
    expect(asked?.from).toBe('p7')
    const event = {
      id: 'atlas.docker:e:9', source: 'atlas.docker', kind: 'docker', type: 'sample', epoch: 'e', seq: 9, schema: 1,
      time: new Date(NOW + 5_000).toISOString(), logged: new Date(NOW + 5_000).toISOString(), position: 'p8',
      entity: { key: KEY, type: 'container', id: 'shop/web', labels: {} }, fields: { cpu_ratio: 0.5 },
    }
    socket?.say({ event: 'container-update', id: asked?.id, position: 'p8', data: event })
    await waitFor(() => expect(within(row).getByTestId('value').textContent).toBe('50.0\u202f%'))
  })

  it('narrows to a search, which stands in the address', async () => {
    const history = open('/')
    await screen.findByRole('row', { name: /shop-web/ })
    fireEvent.change(screen.getByRole('searchbox'), { target: { value: 'nginx' } })
    await waitFor(() => expect(history.location.search).toBe('?q=nginx'))
    expect(screen.getByRole('row', { name: /shop-web/ })).toBeDefined()
    fireEvent.change(screen.getByRole('searchbox'), { target: { value: 'postgres' } })
    await screen.findByText('Nothing matches')
    expect(screen.queryByRole('row', { name: /shop-web/ })).toBeNull()
  })

  it('leads to an entity whose key survives the address', async () => {
    const history = open('/')
    const link = await screen.findByRole('link', { name: 'shop-web' })
    expect(link.getAttribute('href')).toBe(`/entity/${encodeURIComponent(KEY)}`)
    entities = []
    fireEvent.click(link)
    await screen.findByText('There is no such entity')
    expect(screen.getByText(KEY).tagName).toBe('CODE')
    expect(history.location.pathname).toBe(`/entity/${encodeURIComponent(KEY)}`)
  })

  it('says what to do while there is nothing', async () => {
    entities = []
    open('/')
    expect(await screen.findByText('Nothing has been observed yet')).toBeDefined()
  })

  it('passes on what the server says when it fails', async () => {
    const error = { error: { code: 'forbidden', message: 'not for you', request_id: 'r9' } }
    answers = { ...answers, '/api/v1/entities': new Response(JSON.stringify(error), { status: 403 }) }
    open('/')
    const alert = await screen.findByRole('alert')
    expect(alert.textContent).toContain('Not for you')
    expect(alert.textContent).toContain('r9')
    answers['/api/v1/entities'] = { position: 'p1', entities }
    fireEvent.click(within(alert).getByRole('button', { name: 'Try again' }))
    await screen.findByRole('row', { name: /shop-web/ })
  })
})

describe('the sources', () => {
  it('tell what went wrong, what to do, and what watching costs', async () => {
    open('/sources')
    const row = await screen.findByTestId('source-row')
    expect(row.dataset.state).toBe('down')
    expect(within(row).getByTestId('failure-class').textContent).toBe('No connection')
    expect(within(row).getByTestId('failure-reason').textContent).toBe('the socket is gone')
    expect(within(row).getByTestId('failure-fix').textContent).toBe('What to do: check the address.')
    expect(row.textContent).toContain('for 1\u202fmin')
    expect(row.textContent).toContain('busy 0.8\u202f% of at most 50.0\u202f%')
    expect(within(row).getByRole('link').getAttribute('href')).toBe(`/entity/${encodeURIComponent('atlas.docker/source/atlas.docker')}`)
    expect(screen.getByText('1 down')).toBeDefined()
  })

  it('that are well say nothing more, and those that push lead to what they sent', async () => {
    const well = { ...source, state: 'up', class: null, reason: null, fix: null, since: null, poll_seconds: 0 }
    const pushed = { ...well, name: 'shed', state: 'pushed', interval_seconds: null, poll_seconds: null }
    answers['/api/v1/sources'] = { position: 'p1', sources: [pushed, well] }
    const history = open('/sources')
    const rows = await screen.findAllByTestId('source-row')
    expect(rows.map(({ dataset }) => dataset.source)).toEqual(['atlas.docker', 'shed'])
    expect(screen.queryByTestId('failure-class')).toBeNull()
    expect(rows[0]?.textContent, 'what takes no millisecond takes some time').toContain('<\u202f1\u202fms')
    expect(within(rows[1] as HTMLElement).getByRole('link').getAttribute('href')).toBe('/?source=shed')
    fireEvent.change(screen.getByRole('searchbox'), { target: { value: 'pushed' } })
    await waitFor(() => expect(screen.getAllByTestId('source-row')).toHaveLength(1))
    expect(history.location.search).toBe('?q=pushed')
  })

  it('that work and find something down say both', async () => {
    const found = { ...source, state: 'up', class: null, reason: null, fix: null, since: null, finding: 'http://wiki/: it answers 503' }
    answers['/api/v1/sources'] = { position: 'p1', sources: [found] }
    open('/sources')
    const row = await screen.findByTestId('source-row')
    expect(row.dataset.state).toBe('up')
    expect(within(row).getByTestId('finding').textContent).toBe('http://wiki/: it answers 503')
    expect(screen.getByText('1 up with something found down')).toBeDefined()
  })

  it('say what to do while there are none', async () => {
    answers['/api/v1/sources'] = { position: 'p1', sources: [] }
    open('/sources')
    expect(await screen.findByText('Nothing is watched yet')).toBeDefined()
  })

  it('pass on what the server says when it fails', async () => {
    const error = { error: { code: 'forbidden', message: 'not for you', request_id: 'r9' } }
    answers['/api/v1/sources'] = new Response(JSON.stringify(error), { status: 403 })
    open('/sources')
    expect((await screen.findByRole('alert')).textContent).toContain('Not for you')
  })
})

function reading(id: string, fields: Record<string, unknown>) {
  return {
    key: `ha/entity/${id}`, source: 'ha', type: 'entity', id, labels: {},
    fields: Object.fromEntries(Object.entries(fields).map(([field, value]) => [field, { value, time: NOW }])),
  }
}

function tile(name: string): string | null {
  return screen.getByTitle(name).textContent
}

describe('things of a type that measure different things', () => {
  it('each show their own number, or their state', async () => {
    entities = [
      reading('attic', { temperature_celsius: 17.4, availability: 'available' }), reading('bath', { humidity_ratio: 0.5 }),
      reading('house', { power_watts: 420 }), reading('phone', { battery_ratio: 0.9 }), reading('lamp', { brightness_ratio: 1 }),
      reading('plug', { voltage_volts: 231 }), reading('door', { state: 'off' }), reading('tap', { availability: 'unavailable' }),
    ]
    open('/')
    await screen.findByTitle('attic')
    // the catalogue knows no units of these
    expect(tile('attic')).toBe('attic17.4')
    expect(tile('house')).toBe('house420')
    expect(tile('door')).toBe('dooroff')
    expect(tile('tap')).toBe('tapunavailable')
  })
})

describe('without a session', () => {
  it('asks to log in and comes back to where it was', async () => {
    answers['/auth/refresh'] = noSession
    const history = open('/?q=web')
    await screen.findByRole('form', { name: 'Log in' })
    expect(history.location.search).toContain('next=')
    fireEvent.change(screen.getByLabelText('User name'), { target: { value: 'ada' } })
    fireEvent.change(screen.getByLabelText('Password'), { target: { value: 'secret' } })
    answers['/auth/login'] = noSession
    fireEvent.submit(screen.getByRole('form'))
    expect((await screen.findByRole('alert')).textContent).toBe('No')
    answers['/auth/login'] = login
    fireEvent.submit(screen.getByRole('form'))
    await screen.findByRole('row', { name: /shop-web/ })
    expect(history.location.href).toBe('/?q=web')
  })

  it('goes nowhere else than within the dashboard', async () => {
    for (const next of ['//evil.example/', '/\\\\evil.example', 'https://evil.example']) {
      const history = open(`/login?next=${encodeURIComponent(next)}`)
      // oxlint-disable-next-line no-await-in-loop -- one visit after the other
      await screen.findByRole('row', { name: /shop-web/ })
      expect(history.location.href).toBe('/')
      cleanup()
    }
  })

  it('asks for the set-up link while there is no admin', async () => {
    answers['/auth/refresh'] = noSession
    answers['/auth/setup'] = { needed: true }
    const history = open('/')
    await screen.findByRole('form', { name: 'Set up' })
    expect(history.location.pathname).toBe('/setup')
    expect(screen.getByLabelText('Set-up link')).toBeDefined()
  })
})
