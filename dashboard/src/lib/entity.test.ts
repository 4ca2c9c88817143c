import { describe, expect, it } from 'vitest'
import type { SourceInfo } from '../api/generated/SourceInfo'
import { groupByType, isLate, isQuiet, typeTitle } from './entity'

describe('types of entities', () => {
  it('stand with the most comprehensive first', () => {
    const entities = ['nas1/disk/a', 'atlas/container/web', 'dns/pihole/dns', 'atlas/host/atlas.lan', 'nas1/nas/nas1'].map((key) => {
      const [source = '', type = '', id = ''] = key.split('/')
      return { key, source, type, id, labels: {}, fields: {} }
    })
    expect(groupByType(entities).map(([type]) => type)).toEqual(['host', 'container', 'nas', 'pihole', 'disk'])
  })

  it.each([
    ['host', 'Hosts'],
    ['dns_upstream', 'DNS upstreams'],
    ['nas', 'NAS'],
    ['prometheus', 'Prometheus'],
    ['http_check', 'HTTP checks'],
    ['home_assistant_entity', 'Home Assistant entities'],
    ['qnap_disk', 'QNAP disks'],
    ['pihole', 'Pi-holes'],
    ['proxmox_storage', 'Proxmox storages'],
    ['battery', 'Batteries'],
    ['switch', 'Switches'],
  ])('%s are called %s', (type, title) => {
    expect(typeTitle(type)).toBe(title)
  })
})

describe('a thing that is not heard of', () => {
  const MINUTE = 60_000
  const NOW = 1_800_000_000_000
  const quiet = (minutes: number, source: Partial<SourceInfo> | undefined) => {
    const fields = { status: { value: 'normal', time: NOW - minutes * MINUTE } }
    const disk = { key: 'nas1/disk/a', source: 'nas1', type: 'disk', id: 'a', labels: {}, fields }
    return [isLate(disk, NOW), isQuiet(disk, NOW, source as SourceInfo | undefined)]
  }

  it('may have a slow clock of its own as long as its source is up', () => {
    const up: Partial<SourceInfo> = { state: 'up', interval_seconds: 15 }
    expect(quiet(1, up)).toEqual([false, false])
    expect(quiet(5, up)).toEqual([true, false])
    expect(quiet(60, up)).toEqual([true, false])
    expect(quiet(71, up)).toEqual([true, true])
    expect(quiet(60, { state: 'pushed', interval_seconds: null })).toEqual([true, false])
    expect(quiet(100, { state: 'up', interval_seconds: 3600 }), 'a source may be slow itself').toEqual([true, false])
  })

  it('is quiet soon when its source is not', () => {
    for (const state of ['down', 'stale', 'removed'] as const) expect(quiet(2, { state, interval_seconds: 15 })).toEqual([false, true])
    expect(quiet(2, undefined)).toEqual([false, true])
  })
})
