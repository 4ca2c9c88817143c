import { useQuery } from '@tanstack/react-query'
import { useEffect, useMemo, useSyncExternalStore } from 'react'
import type { Agg } from '../api/generated/Agg'
import { useRealtime } from '../context/LiveContext'
import { useSession } from '../context/SessionContext'
import type { Metric } from '../lib/catalog'
import { History } from '../lib/history'
import { spanMs } from '../lib/range'
import type { TimeRange } from '../lib/range'

interface Input {
  readonly entity: string
  readonly metrics: readonly Metric[]
  readonly range: TimeRange
  /** Width of the windows in seconds; without it every sample. */
  readonly step: number | undefined
  readonly aggs: readonly Agg[]
}

export interface HistoryState {
  readonly history: History | undefined
  readonly error: unknown
  readonly isPending: boolean
  readonly retry: () => void
}

const noSubscription = () => () => {}

/** What was, and while the range ends now, what comes: joined at the log position of the answer. */
export function useHistory({ entity, metrics, range, step, aggs }: Input): HistoryState {
  const { client } = useSession()
  const realtime = useRealtime()
  const fields = metrics.map(({ field }) => field)
  const isLive = range.kind === 'live'
  const query = useQuery({
    queryKey: ['range', entity, fields, range, step ?? 'raw', aggs],
    queryFn: ({ signal }) =>
      client.range(
        {
          entity: [entity],
          field: fields,
          step: step ?? 'raw',
          ...(step === undefined ? {} : { agg: aggs }),
          ...(isLive ? { from: `-${range.span}`, to: 'now' } : { from: range.from, to: range.to }),
        },
        signal,
      ),
    enabled: fields.length > 0,
    // The live connection keeps it fresh; what lies behind a closed page is asked for again.
    // While another range or one more field is loaded, what is there stays.
    placeholderData: (before, of) => (of?.queryKey[1] === entity ? before : undefined),
    staleTime: Infinity,
    gcTime: 0,
  })
  const { data, refetch } = query
  // A new answer is a new history; the list of metrics is part of the answer's key.
  const metricsKey = JSON.stringify(metrics)
  const history = useMemo(
    () => data && new History(JSON.parse(metricsKey) as Metric[], data),
    [data, metricsKey],
  )
  const span = isLive ? spanMs(range.span) : 0

  useEffect(() => {
    if (!history || span === 0) return undefined
    return realtime.subscribe({ entity }, history.position, {
      onUpdate: ({ data: event }) => {
        history.apply(event)
        history.trim(Date.now() - span * 1.1)
      },
      onGap: () => void refetch(),
    })
  }, [history, realtime, entity, span, refetch])

  useSyncExternalStore(history?.subscribe ?? noSubscription, () => history?.version ?? 0)

  return {
    history,
    error: query.error,
    isPending: query.isPending && fields.length > 0,
    retry: () => void refetch(),
  }
}
