import { useQuery } from '@tanstack/react-query'
import { useEffect, useMemo, useState } from 'react'
import type { ApiEvent } from '../api/generated/ApiEvent'
import { useRealtime } from '../context/LiveContext'
import { useSession } from '../context/SessionContext'
import type { TimeRange } from '../lib/range'

/** Pages that are read to find the newest events of a range; what lies before is told as left out. */
const MAX_PAGES = 10
const PAGE = 1_000

/** Changes of one entity in a range, newest first, and while the range ends now those that come. */
export function useChanges(entity: string, range: TimeRange) {
  const { client } = useSession()
  const realtime = useRealtime()
  const isLive = range.kind === 'live'
  const query = useQuery({
    queryKey: ['changes', entity, range],
    queryFn: async ({ signal }) => {
      const bounds = isLive ? { from: `-${range.span}` } : { from: range.from, to: range.to }
      const events: ApiEvent[] = []
      let after: string | undefined
      for (let page = 0; page < MAX_PAGES; page += 1) {
        // oxlint-disable-next-line no-await-in-loop -- each page begins where the one before ended
        const answer = await client.events(
          { ...bounds, entity, type: ['change'], limit: PAGE, ...(after === undefined ? {} : { after }) },
          signal,
        )
        events.push(...answer.events)
        after = answer.next
        if (!answer.more || answer.events.length === 0) break
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
    return realtime.subscribe({ entity, event: 'change' }, data.position, {
      onUpdate: ({ data: event }) => {
        setLive((before) => ({ of: data, events: before.of === data ? [...before.events, event] : [event] }))
      },
      onGap: () => void refetch(),
    })
  }, [data, isLive, realtime, entity, refetch])

  const events = useMemo(
    () => [...(data?.events ?? []), ...(live.of === data ? live.events : [])].toReversed(),
    [data, live],
  )
  return { events, isPending: query.isPending, error: query.error, retry: () => void refetch() }
}
