import { useQuery } from '@tanstack/react-query'
import { useEffect, useMemo, useState } from 'react'
import type { ApiEvent } from '../api/generated/ApiEvent'
import type { EventType } from '../api/generated/EventType'
import { useRealtime } from '../context/LiveContext'
import { useSession } from '../context/SessionContext'
import { changesOf } from '../lib/changes'
import { spanMs } from '../lib/range'
import type { TimeRange } from '../lib/range'

/** Pages that are read at most: a range with more events than that shows the first of them. */
const MAX_PAGES = 10
const PAGE = 1_000
/**
 * A source tells every minute how it does. In longer ranges that is too much to read through for the few moves in it:
 * there, the band of the source's state shows them.
 */
const LONGEST_WITH_SOURCE_MS = 24 * 3_600_000
const ALL: readonly EventType[] = ['change', 'source']
const CHANGES_ONLY: readonly EventType[] = ['change']

/** What happened to an entity and to its source in a range, newest first; while the range ends now, also what happens. */
export function useChanges(entity: string, range: TimeRange) {
  const { client } = useSession()
  const realtime = useRealtime()
  const isLive = range.kind === 'live'
  const [source = ''] = entity.split('/')
  const length = range.kind === 'live' ? spanMs(range.span) : range.to - range.from
  const event = length > LONGEST_WITH_SOURCE_MS ? CHANGES_ONLY : ALL
  const query = useQuery({
    queryKey: ['changes', source, range],
    queryFn: async ({ signal }) => {
      const bounds = isLive ? { from: `-${range.span}` } : { from: range.from, to: range.to }
      const events: ApiEvent[] = []
      let after: string | undefined
      for (let page = 0; page < MAX_PAGES; page += 1) {
        // oxlint-disable-next-line no-await-in-loop -- each page begins where the one before ended
        const answer = await client.events(
          { ...bounds, source, event, limit: PAGE, ...(after === undefined ? {} : { after }) },
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
    return realtime.subscribe({ source, event: event.join(',') }, data.position, {
      onUpdate: ({ data: one }) => {
        setLive((before) => ({ of: data, events: before.of === data ? [...before.events, one] : [one] }))
      },
      onGap: () => void refetch(),
    })
  }, [data, isLive, realtime, source, event, refetch])

  const events = useMemo(
    () => changesOf(entity, [...(data?.events ?? []), ...(live.of === data ? live.events : [])]).toReversed(),
    [entity, data, live],
  )
  return { events, isPending: query.isPending, error: query.error, retry: () => void refetch() }
}
