import { spawn } from 'node:child_process'
import type { ChildProcess } from 'node:child_process'
import { mkdtemp, rm } from 'node:fs/promises'
import { createServer } from 'node:net'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { RangeAnswer } from '../../dashboard/src/api/generated/RangeAnswer.ts'
import type { EventsAnswer } from '../../dashboard/src/api/generated/EventsAnswer.ts'
import type { PushEvent } from '../../dashboard/src/api/generated/PushEvent.ts'
import type { EntitiesAnswer } from '../../dashboard/src/api/generated/EntitiesAnswer.ts'

const START_MS = 20_000
const STOP_MS = 5_000

/** A port that nobody listens at. */
export async function freePort(): Promise<number> {
  const server = createServer()
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const { port } = server.address() as AddressInfo
  await new Promise((resolve) => server.close(resolve))
  return port
}

/** The real binary with a data directory of its own. */
export class Homelog {
  readonly #child: ChildProcess
  #output = ''

  private constructor(
    readonly url: string,
    readonly data: string,
    child: ChildProcess,
  ) {
    this.#child = child
    const listen = (chunk: Buffer) => {
      this.#output += chunk.toString()
    }
    child.stdout?.on('data', listen)
    child.stderr?.on('data', listen)
  }

  /** Starts it and waits until it answers. */
  static async start(): Promise<Homelog> {
    const binary = process.env['HOMELOG_BINARY']
    if (!binary) throw new Error('HOMELOG_BINARY is not set: start the browser tests with scripts/browser-test')
    const data = await mkdtemp(join(tmpdir(), 'homelog-browser-'))
    const listen = `127.0.0.1:${await freePort()}`
    const child = spawn(binary, ['up', '--data', data, '--listen', listen], { stdio: ['ignore', 'pipe', 'pipe'] })
    const homelog = new Homelog(`http://${listen}`, data, child)
    const deadline = Date.now() + START_MS
    for (;;) {
      const answer = await fetch(`${homelog.url}/health/live`).catch(() => undefined)
      if (answer?.ok) return homelog
      if (child.exitCode !== null || Date.now() > deadline) {
        await homelog.stop()
        throw new Error(`homelog did not start:\n${homelog.output}`)
      }
      await new Promise((resolve) => setTimeout(resolve, 50))
    }
  }

  /** Everything it printed so far, without colours. */
  get output(): string {
    return this.#output.replaceAll(/\u001B\[[\d;]*m/g, '')
  }

  /** The one-time link that the first start prints. */
  get setupLink(): string {
    const [link] = /https?:\/\/\S*setup\S*/.exec(this.output) ?? []
    if (!link) throw new Error(`no set-up link in:\n${this.output}`)
    return link
  }

  /** Stops it as a service manager does and removes its data. */
  async stop(): Promise<void> {
    if (this.#child.exitCode === null && this.#child.signalCode === null) {
      const ended = new Promise((resolve) => this.#child.once('exit', resolve))
      this.#child.kill('SIGTERM')
      const timer = setTimeout(() => this.#child.kill('SIGKILL'), STOP_MS + 1_000)
      await ended
      clearTimeout(timer)
    }
    await rm(this.data, { recursive: true, force: true })
  }
}

/** What a script sees of the API, as one user. */
export class Api {
  private constructor(
    private readonly url: string,
    private readonly token: string,
  ) {}

  static async login(url: string, username: string, password: string): Promise<Api> {
    const answer = await fetch(`${url}/auth/login`, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify({ username, password }),
    })
    if (!answer.ok) throw new Error(`login answered ${answer.status}: ${await answer.text()}`)
    const { access_token: token } = (await answer.json()) as { access_token: string }
    return new Api(url, token)
  }

  entities(type: string): Promise<EntitiesAnswer> {
    return this.#get('/api/v1/entities', { type })
  }

  events(entity: string, type: string): Promise<EventsAnswer> {
    return this.#get('/api/v1/events', { entity, type, from: '-1h', limit: '1000' })
  }

  range(entity: string, field: string, from: number, to: number): Promise<RangeAnswer> {
    return this.#get('/api/v1/range', { entity, field, from: String(from), to: String(to), step: 'raw' })
  }

  /** Sends events as a service does that tells by itself. */
  async push(events: readonly PushEvent[]): Promise<void> {
    const answer = await fetch(`${this.url}/api/v1/events`, {
      method: 'POST',
      headers: { authorization: `Bearer ${this.token}`, 'content-type': 'application/json' },
      body: JSON.stringify(events),
    })
    if (!answer.ok) throw new Error(`the push answered ${answer.status}: ${await answer.text()}`)
  }

  async #get<T>(path: string, parameters: Record<string, string>): Promise<T> {
    const answer = await fetch(`${this.url}${path}?${new URLSearchParams(parameters)}`, {
      headers: { authorization: `Bearer ${this.token}` },
    })
    if (!answer.ok) throw new Error(`${path} answered ${answer.status}: ${await answer.text()}`)
    return (await answer.json()) as T
  }
}
