import { useQuery } from '@tanstack/react-query'
import { useEffect, useMemo, useState } from 'react'
import type { ApiEvent } from '../api/generated/ApiEvent'
import type { EventType } from '../api/generated/EventType'
import { useRealtime } from '../context/LiveContext'
import { useSession } from '../context/SessionContext'
import { changesOf } from '../lib/changes'
import type { TimeRange } from '../lib/range'

/** Pages that are read at most: a range with more events than that shows the first of them. */
const MAX_PAGES = 10
const PAGE = 1_000
const EVENTS: readonly EventType[] = ['change', 'source']

/** What happened to an entity and to its source in a range, newest first; while the range ends now, also what happens. */
export function useChanges(entity: string, range: TimeRange) {
  const { client } = useSession()
  const realtime = useRealtime()
  const isLive = range.kind === 'live'
  const [source = ''] = entity.split('/')
  const query = useQuery({
    queryKey: ['changes', source, range],
    queryFn: async ({ signal }) => {
      const bounds = isLive ? { from: `-${range.span}` } : { from: range.from, to: range.to }
      const events: ApiEvent[] = []
      let after: string | undefined
      for (let page = 0; page < MAX_PAGES; page += 1) {
        // oxlint-disable-next-line no-await-in-loop -- each page begins where the one before ended
        const answer = await client.events(
          { ...bounds, source, event: EVENTS, limit: PAGE, ...(after === undefined ? {} : { after }) },
          signal,
        )
        events.push(...answer.events)
        after = answer.next
        if (!answer.more) break
      }
      return { events, position: after }
    },
    staleTime: Infinity,
    gcTime: 0,
  })
  const { data, refetch } = query
  const [live, setLive] = useState<{ readonly of: unknown; readonly events: readonly ApiEvent[] }>({ of: undefined, events: [] })

  useEffect(() => {
    if (!data || !isLive) return undefined
    return realtime.subscribe({ source, event: EVENTS.join(',') }, data.position, {
      onUpdate: ({ data: event }) => {
        setLive((before) => ({ of: data, events: before.of === data ? [...before.events, event] : [event] }))
      },
      onGap: () => void refetch(),
    })
  }, [data, isLive, realtime, source, refetch])

  const events = useMemo(
    () => changesOf(entity, [...(data?.events ?? []), ...(live.of === data ? live.events : [])]).toReversed(),
    [entity, data, live],
  )
  return { events, isPending: query.isPending, error: query.error, retry: () => void refetch() }
}
