import { describe, expect, it } from 'vitest'
import type { CatalogMetric } from '../api/generated/CatalogMetric'
import { Catalog, toNumber } from './catalog'
import { capacityField, headline } from './headline'
import { panelsOf } from './panels'
import { fieldTitle } from './words'

function gauge(field: string, unit: CatalogMetric['unit']): CatalogMetric {
  return { entity_type: 'host', field, unit, kind: 'gauge', value: 'float', help: `about ${field}` }
}

const catalog = new Catalog([
  gauge('cpu_ratio', 'ratio'),
  gauge('cpu_*_ratio', 'ratio'),
  gauge('memory_used_bytes', 'bytes'),
  gauge('memory_used_ratio', 'ratio'),
  gauge('memory_total_bytes', 'bytes'),
  gauge('memory_available_bytes', 'bytes'),
  gauge('load_1', 'none'),
  gauge('load_5', 'none'),
  gauge('load_15', 'none'),
  { ...gauge('rx_bytes_total', 'bytes'), kind: 'counter', value: 'integer' },
  { ...gauge('tx_bytes_total', 'bytes'), kind: 'counter', value: 'integer' },
  { ...gauge('state', 'none'), kind: 'state', value: 'text' },
])

const fields = [
  'cpu_ratio', 'cpu_0_ratio', 'cpu_10_ratio', 'cpu_2_ratio', 'memory_used_bytes', 'memory_used_ratio', 'memory_total_bytes',
  'memory_available_bytes', 'load_1', 'load_5', 'load_15', 'rx_bytes_total', 'tx_bytes_total', 'state',
]
function has(field: string): boolean {
  return ['memory_limit_bytes', 'size_bytes'].includes(field)
}

const metrics = fields.map((field) => catalog.metric('host', field))

describe('Catalog', () => {
  it('finds exact fields before patterns', () => {
    expect(catalog.metric('host', 'cpu_ratio').pattern).toBe('cpu_ratio')
    expect(catalog.metric('host', 'cpu_3_ratio')).toMatchObject({ pattern: 'cpu_*_ratio', help: 'about cpu_*_ratio' })
    expect(catalog.metric('host', 'cpu__ratio').pattern).toBe('cpu__ratio')
  })

  it('takes what it does not know for what it looks like', () => {
    expect(catalog.metric('room', 'humidity', 0.4)).toMatchObject({ kind: 'gauge', value: 'float' })
    expect(catalog.metric('room', 'open', true)).toMatchObject({ kind: 'state', value: 'bool' })
    expect(catalog.metric('room', 'mood', 'calm')).toMatchObject({ kind: 'state', value: 'text' })
  })

  it('takes the unit of a rate from its name', () => {
    expect(catalog.metric('host', 'rx_bytes_per_second', 5)).toMatchObject({ unit: 'bytes_per_second', kind: 'gauge' })
    expect(catalog.metric('host', 'queries_per_second', 5).unit).toBe('none')
    expect(fieldTitle('rx_bytes_per_second')).toBe('Received')
    expect(fieldTitle('queries_per_second')).toBe('Queries per second')
  })

  it('reads whole numbers that came as texts', () => {
    const counter = catalog.metric('host', 'rx_bytes_total')
    expect(toNumber(counter, '18446744073709551615')).toBe(18_446_744_073_709_552_000)
    expect(toNumber(counter, 'many')).toBeUndefined()
    expect(toNumber(catalog.metric('host', 'state'), '5')).toBeUndefined()
  })
})

describe('panelsOf', () => {
  const panels = panelsOf(metrics)

  it('groups by unit, topic and direction, and leaves states out', () => {
    expect(panels.map(({ title, series }) => [title, series.map(({ label }) => label)])).toEqual([
      ['CPU', ['CPU']],
      ['CPU, each of 3', ['0', '2', '10']],
      ['Memory', ['available', 'used']],
      ['Memory used', ['memory used']],
      ['Load', ['1', '5', '15']],
      ['Received, sent', ['received', 'sent']],
    ])
  })

  it('draws counters as rates and no whole beside its part', () => {
    expect(panels.at(-1)).toMatchObject({ isRate: true, unit: 'bytes' })
    const used = panels.find(({ title }) => title === 'Memory')?.series.find(({ label }) => label === 'used')
    expect(used?.whole).toBe('memory_total_bytes')
  })

  it('draws every number once', () => {
    const drawn = panels.flatMap(({ series }) => series.flatMap(({ field, whole }) => (whole ? [field, whole] : [field])))
    expect(drawn.toSorted()).toEqual(fields.filter((field) => field !== 'state').toSorted())
  })
})

describe('headline', () => {
  it('picks the most telling and says nothing twice', () => {
    const values = Object.fromEntries(fields.map((field) => [field, { value: field === 'state' ? 'ok' : 1, time: 0 }]))
    const entity = { key: 'a.host/host/a', source: 'a.host', type: 'host', id: 'a', labels: {}, fields: values }
    expect(headline(catalog, [entity], 6).map(({ field }) => field)).toEqual([
      'cpu_ratio',
      'memory_used_bytes',
      'rx_bytes_total',
      'tx_bytes_total',
      'load_1',
    ])
  })

  it('finds the whole of a part', () => {
    expect(capacityField('memory_used_bytes', has)).toBe('memory_limit_bytes')
    expect(capacityField('used_bytes', has)).toBe('size_bytes')
    expect(capacityField('cpu_ratio', has)).toBeUndefined()
    expect(capacityField('cpu_ratio', (field) => field === 'cpu_limit_ratio')).toBe('cpu_limit_ratio')
  })
})
