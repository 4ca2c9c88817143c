import { createContext, useContext, useEffect, useMemo, useState, useSyncExternalStore } from 'react'
import type { ReactNode } from 'react'
import type { LiveStatus } from '../api/messages'
import { Realtime } from '../api/realtime'
import { useSession } from './SessionContext'

const LiveContext = createContext<Realtime | undefined>(undefined)

/** One live connection for all that is below, open while this is shown. */
export function LiveProvider({ children }: { readonly children: ReactNode }) {
  const { session } = useSession()
  const [realtime] = useState(() => new Realtime(() => session.ticket()))
  useEffect(() => {
    realtime.start()
    return () => realtime.stop()
  }, [realtime])
  return <LiveContext value={realtime}>{children}</LiveContext>
}

export function useRealtime(): Realtime {
  const realtime = useContext(LiveContext)
  if (!realtime) throw new Error('useRealtime needs a LiveProvider above it')
  return realtime
}

export function useLiveStatus(): LiveStatus {
  const realtime = useRealtime()
  const subscribe = useMemo(() => (listener: () => void) => realtime.on('status', listener), [realtime])
  return useSyncExternalStore(subscribe, () => realtime.status)
}
