import { describe, expect, it } from 'vitest'
import type { EntityState } from '../api/generated/EntityState'
import { Catalog } from './catalog'
import { headline, isMixed, stateField, stateOf } from './headline'

const NOW = 1_800_000_000_000
const catalog = new Catalog([])

function entity(id: string, fields: Readonly<Record<string, number | string | boolean>>, time = NOW): EntityState {
  return {
    key: `s/thing/${id}`, source: 's', type: 'thing', id, labels: {},
    fields: Object.fromEntries(Object.entries(fields).map(([field, value]) => [field, { value, time }])),
  }
}

describe('a type of entities', () => {
  it('is mixed where each measures something else', () => {
    const each = ['temperature_celsius', 'humidity_ratio', 'power_watts', 'voltage_volts', 'battery_ratio', 'brightness_ratio']
    expect(isMixed(catalog, each.map((field) => entity(field, { [field]: 1, state: 'on' })))).toBe(true)
  })

  it('is mixed where a service names its fields itself, and shows them', () => {
    const own = new Catalog([{ entity_type: 'thing', field: '*', unit: 'none', kind: 'gauge', value: 'float', help: 'what it is' }])
    const things = [entity('queue', { waiting: 2 }), entity('shop', { orders: 20, open_orders: 3 })]
    expect(isMixed(own, things)).toBe(true)
    expect(headline(own, things.slice(0, 1), 1).map(({ field }) => field)).toEqual(['waiting'])
  })

  it('is not mixed where one has all of it and others little, or where all is little', () => {
    const full = { cpu_ratio: 1, memory_used_bytes: 1, rx_bytes_total: 1, tx_bytes_total: 1, io_wait_ratio: 1, load_1: 1 }
    expect(isMixed(catalog, [entity('on', full), entity('off', { cpus_count: 2 }), entity('out', {})])).toBe(false)
    expect(isMixed(catalog, [entity('a', { temperature_celsius: 1 }), entity('b', { humidity_ratio: 1 })])).toBe(false)
    expect(isMixed(catalog, [])).toBe(false)
  })
})

describe('the state of an entity', () => {
  it('is the first that it has, unless another is worse', () => {
    expect(stateField(entity('a', { health: 'ok', status: 'ready' }))).toBe('status')
    expect(stateField(entity('a', { health: 'abnormal', status: 'ready' }))).toBe('health')
    expect(stateField(entity('a', { state: 'on', availability: 'unavailable' }))).toBe('availability')
    expect(stateField(entity('a', { state: 'exited', health: 'unhealthy' }))).toBe('state')
    expect(stateField(entity('a', { status: 'normal', smart_status: 'failing' }))).toBe('smart_status')
    expect(stateField(entity('a', { status: 'normal', smart_status: 'normal', old_status: 'failing' }))).toBe('status')
    expect(stateField(entity('a', { storage_status: 'danger' }))).toBe('storage_status')
    expect(stateField(entity('a', { cpu_ratio: 1 }))).toBeUndefined()
  })

  it('is whether it is up where it has no other word', () => {
    expect(stateOf(entity('a', { up: false }))).toBe('down')
    expect(stateOf(entity('a', { up: true, latency_seconds: 1 }))).toBe('up')
    expect(stateOf(entity('a', { up: true, state: 'stalled' }))).toBe('stalled')
    expect(stateOf(entity('a', { up: 1 })), 'a number is a number').toBeUndefined()
  })

  it('is not one that is not read any more', () => {
    const old = entity('a', { health: 'unhealthy' }, NOW - 3_600_000)
    expect(stateField({ ...old, fields: { ...old.fields, ...entity('a', { state: 'running' }).fields } })).toBe('state')
  })
})
