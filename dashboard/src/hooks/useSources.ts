import { useQuery, useQueryClient } from '@tanstack/react-query'
import { useEffect } from 'react'
import { useRealtime } from '../context/LiveContext'
import { useSession } from '../context/SessionContext'

/** A source that has gone silent sends nothing: only asking again shows it. */
const ASK_AGAIN_MS = 15_000
/** Many sources that go up at once are one question. */
const SETTLE_MS = 500

/** All sources and how they do; asked again when one of them goes up or down. */
export function useSources() {
  const { client } = useSession()
  const realtime = useRealtime()
  const queryClient = useQueryClient()

  useEffect(() => {
    let timer: ReturnType<typeof setTimeout> | undefined
    const stop = realtime.subscribe({ event: 'source' }, undefined, {
      onUpdate: () => {
        timer ??= setTimeout(() => {
          timer = undefined
          void queryClient.invalidateQueries({ queryKey: ['sources'] })
        }, SETTLE_MS)
      },
    })
    return () => {
      stop()
      clearTimeout(timer)
    }
  }, [realtime, queryClient])

  return useQuery({
    queryKey: ['sources'],
    queryFn: ({ signal }) => client.sources(signal),
    refetchInterval: ASK_AGAIN_MS,
  })
}
