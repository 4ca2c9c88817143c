// Field names are made of words that all integrations share; these are the ones that mean more than themselves.

/** Words for the two directions of one thing: fields that differ only in them belong into one chart. */
export const DIRECTIONS: ReadonlySet<string> = new Set([
  'rx', 'tx', 'read', 'write', 'written', 'reads', 'writes', 'in', 'out', 'received', 'sent', 'up', 'down', 'upload', 'download',
])

/** Words for the size that another field is a part of. */
export const CAPACITIES: readonly string[] = ['total', 'size', 'limit', 'capacity', 'max']

const SPOKEN: Readonly<Record<string, string>> = {
  rx: 'received',
  tx: 'sent',
  cpu: 'CPU',
  gpu: 'GPU',
  io: 'I/O',
  assistant: 'Assistant',
  http: 'HTTP',
  json: 'JSON',
  prometheus: 'Prometheus',
  raid: 'RAID',
  dns: 'DNS',
  nas: 'NAS',
  pihole: 'Pi-hole',
  qnap: 'QNAP',
  smart: 'SMART',
  ups: 'UPS',
  ip: 'IP',
  oom: 'OOM',
  cpus: 'CPUs',
  pids: 'PIDs',
  '1m': '1 min',
  '5m': '5 min',
  '15m': '15 min',
}

export function speak(words: readonly string[]): string {
  return words.map((word) => SPOKEN[word] ?? word).join(' ')
}

export function capitalise(text: string): string {
  return text.charAt(0).toUpperCase() + text.slice(1)
}

const UNIT_WORDS: ReadonlySet<string> = new Set([
  'bytes', 'bits', 'ratio', 'seconds', 'celsius', 'hertz', 'volts', 'amperes', 'watts', 'count', 'rpm',
])

/** The words of a field without its unit: `memory_used_bytes` → memory, used; `rx_bytes_total` and `rx_bytes_per_second` → rx. */
export function fieldWords(field: string): string[] {
  const words = field.split('_').filter(Boolean)
  const bare = [...words]
  if (bare.length > 1 && bare.at(-1) === 'total') bare.pop()
  if (/_(bytes|bits)_per_second$/.test(field)) bare.splice(-3)
  else if (bare.length > 1 && bare.at(-2) === 'watt' && bare.at(-1) === 'hours') bare.splice(-2)
  else if (bare.length > 0 && UNIT_WORDS.has(bare.at(-1) ?? '')) bare.pop()
  return bare.length > 0 ? bare : words
}

/** A field for people: `memory_used_bytes` → `Memory used`. */
export function fieldTitle(field: string): string {
  return capitalise(speak(fieldWords(field)))
}
