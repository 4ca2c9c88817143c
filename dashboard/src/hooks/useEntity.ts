import { useQuery } from '@tanstack/react-query'
import { useEffect, useState } from 'react'
import type { ApiEvent } from '../api/generated/ApiEvent'
import type { EntityState } from '../api/generated/EntityState'
import { useRealtime } from '../context/LiveContext'
import { useSession } from '../context/SessionContext'
import { applyEvent } from '../lib/entity'
import { entriesOf } from '../lib/record'

/**
 * What only changes tell (an exit code, a former name) belongs to them: it becomes no chart in the moment that it happens.
 */
function withoutNews(event: ApiEvent, entity: EntityState | undefined): ApiEvent {
  if (event.type === 'sample' || !entity) return event
  return { ...event, fields: Object.fromEntries(entriesOf(event.fields).filter(([field]) => field in entity.fields)) }
}

/** The newest state of one entity, moving; `null` when there is no such entity. */
export function useEntity(key: string) {
  const { client } = useSession()
  const realtime = useRealtime()
  const query = useQuery({
    queryKey: ['entity', key],
    queryFn: async ({ signal }) => {
      const { position, entities } = await client.entities({ entity: [key] }, signal)
      return { position, entity: entities.find((one) => one.key === key) }
    },
    staleTime: Infinity,
    gcTime: 0,
  })
  const { data, refetch } = query
  const [live, setLive] = useState<{ readonly since: string; readonly entity: EntityState }>()

  useEffect(() => {
    if (!data) return undefined
    return realtime.subscribe({ entity: key }, data.position, {
      onUpdate: ({ data: event }) => {
        setLive((before) => ({
          since: data.position,
          entity: applyEvent(before?.since === data.position ? before.entity : data.entity, withoutNews(event, data.entity)),
        }))
      },
      onGap: () => void refetch(),
    })
  }, [data, realtime, key, refetch])

  const moved = live !== undefined && live.since === data?.position && live.entity.key === key ? live.entity : undefined
  return {
    entity: data && (moved ?? data.entity ?? null),
    error: query.error,
    retry: () => void refetch(),
  }
}
