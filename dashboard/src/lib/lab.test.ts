import { describe, expect, it, vi } from 'vitest'
import type { ApiEvent } from '../api/generated/ApiEvent'
import { Catalog } from './catalog'
import { Lab } from './lab'

function event(source: string, type: ApiEvent['type'], entity: string, fields: ApiEvent['fields']): ApiEvent {
  return {
    id: `${source}:e:1`,
    source,
    kind: 'push',
    epoch: 'e',
    seq: 1,
    type,
    time: '2026-11-23T03:00:00Z',
    logged: '2026-11-23T03:00:00Z',
    entity: { key: `${source}/${entity}`, type: entity.split('/')[0] ?? '', id: entity.split('/')[1] ?? '', labels: {} },
    fields,
    schema: 1,
    position: '1.a',
  }
}

describe('Lab', () => {
  it('forgets everything of a source that is purged, and nothing else', () => {
    vi.useFakeTimers()
    const lab = new Lab(new Catalog([]), { position: '1.0', entities: [] })
    const keys = (): string[] => {
      vi.advanceTimersByTime(1000)
      return lab.entities.map(({ key }) => key)
    }
    lab.apply(event('nas1', 'sample', 'disk/sda', { temperature_celsius: 30 }))
    lab.apply(event('nas2', 'sample', 'disk/sda', { temperature_celsius: 31 }))
    lab.apply(event('nas1', 'source', 'source/nas1', { state: 'removed' }))
    expect(keys()).toEqual(['nas1/disk/sda', 'nas2/disk/sda', 'nas1/source/nas1'])
    lab.apply(event('nas1', 'source', 'source/nas1', { state: 'purged' }))
    expect(keys()).toEqual(['nas2/disk/sda'])
    lab.apply(event('nas1', 'sample', 'disk/sda', { temperature_celsius: 32 }))
    expect(keys()).toEqual(['nas2/disk/sda', 'nas1/disk/sda'])
    vi.useRealTimers()
  })
})
