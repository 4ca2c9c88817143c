import { execFile, spawn } from 'node:child_process'
import { createInterface } from 'node:readline'
import { promisify } from 'node:util'

const run = promisify(execFile)

/** Busybox, made by scripts/test-images; both tags differ in nothing but a file. */
export const IMAGE = 'homelog-test/busybox:1'
export const OTHER_IMAGE = 'homelog-test/busybox:2'

/** A container at half a core, whatever the machine has. */
export const HALF_A_CORE = ['--cpus', '0.5'] as const
export const SPIN = ['sh', '-c', 'while :; do :; done'] as const
/** Holds 50 MB: dd fills its buffer and then waits on a pipe that nobody reads. */
export const HOLD_50_MB = ['sh', '-c', 'dd if=/dev/zero bs=50M count=1 | sleep 1000000'] as const

export async function docker(...words: string[]): Promise<string> {
  const { stdout } = await run('docker', words, { timeout: 30_000 })
  return stdout.trim()
}

export async function removeContainers(...names: string[]): Promise<void> {
  for (const name of names) await docker('rm', '--force', name).catch(() => undefined)
}

/** What the Docker CLI says of one container. */
export interface Usage {
  /** Share of one core. */
  readonly cpuRatio: number
  readonly memoryBytes: number
}

const SIZES: Readonly<Record<string, number>> = { B: 1, KiB: 1024, MiB: 1024 ** 2, GiB: 1024 ** 3 }

function bytesOf(text: string): number {
  const [, number, unit] = /^([\d.]+)([A-Za-z]+)$/.exec(text.trim()) ?? []
  const size = SIZES[unit ?? '']
  if (number === undefined || size === undefined) throw new Error(`docker stats wrote a size as \`${text}\``)
  return Number(number) * size
}

const mean = (values: readonly number[]): number => values.reduce((sum, value) => sum + value, 0) / values.length

/** Watches `docker stats`, which reads about once a second, and returns the mean of each container. */
export async function dockerStats(names: readonly string[], seconds: number): Promise<Map<string, Usage>> {
  const format = '{{.Name}} {{.CPUPerc}} {{.MemUsage}}'
  const child = spawn('docker', ['stats', '--format', format, ...names], { stdio: ['ignore', 'pipe', 'inherit'] })
  const readings = new Map(names.map((name) => [name, { cpu: [] as number[], memory: [] as number[] }]))
  // newer CLIs do not end on SIGTERM here
  const timer = setTimeout(() => child.kill('SIGKILL'), seconds * 1000)
  for await (const line of createInterface({ input: child.stdout })) {
    // the CLI clears the screen before each round
    const words = line.replaceAll(/\u001B\[[\d;]*[A-Z]/gi, '').trim().split(/\s+/)
    const [name = '', cpu = '', used = ''] = words
    const reading = readings.get(name)
    if (!reading || !cpu.endsWith('%') || used === '--') continue
    reading.cpu.push(Number.parseFloat(cpu) / 100)
    reading.memory.push(bytesOf(used))
  }
  clearTimeout(timer)
  const usages = new Map<string, Usage>()
  for (const [name, { cpu, memory }] of readings) {
    if (cpu.length < seconds / 3) throw new Error(`docker stats gave ${cpu.length} readings of ${name} in ${seconds} s`)
    // the first reading has nothing to compare with
    usages.set(name, { cpuRatio: mean(cpu.slice(1)), memoryBytes: mean(memory.slice(1)) })
  }
  return usages
}
