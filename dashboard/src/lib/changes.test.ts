import { expect, it } from 'vitest'
import type { ApiEvent } from '../api/generated/ApiEvent'
import { changesOf } from './changes'

function event(seq: number, type: ApiEvent['type'], key: string, fields: ApiEvent['fields']): ApiEvent {
  const [source = '', entityType = '', id = ''] = key.split('/')
  return {
    id: `${source}:e:${seq}`, source, kind: 'docker', epoch: 'e', seq, type, time: '2026-11-23T06:00:00Z',
    logged: '2026-11-23T06:00:00Z', entity: { key, type: entityType, id, labels: {} }, fields, schema: 1, position: `p${seq}`,
  }
}

it('keeps the entity’s own changes and the moves of its source', () => {
  const events = [
    event(1, 'source', 'd/source/d', { state: 'up' }),
    event(2, 'change', 'd/container/web', { event: 'die', exit_code: 137 }),
    event(3, 'change', 'd/container/other', { event: 'die' }),
    event(4, 'source', 'd/source/d', { state: 'up' }),
    event(5, 'source', 'd/source/d', { state: 'down' }),
    event(6, 'source', 'd/source/d', { state: 'down' }),
    event(7, 'source', 'd/source/d', { state: 'up' }),
  ]
  expect(changesOf('d/container/web', events).map(({ seq }) => seq)).toEqual([2, 5, 7])
})
