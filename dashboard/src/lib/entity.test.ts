import { describe, expect, it } from 'vitest'
import { groupByType, typeTitle } from './entity'

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
    ['qnap_disk', 'QNAP disks'],
    ['pihole', 'Pi-holes'],
    ['proxmox_storage', 'Proxmox storages'],
    ['battery', 'Batteries'],
    ['switch', 'Switches'],
  ])('%s are called %s', (type, title) => {
    expect(typeTitle(type)).toBe(title)
  })
})
