import { createContext, useContext, useEffect, useMemo, useSyncExternalStore } from 'react'
import type { ReactNode } from 'react'
import type { Client } from '../api/client'
import type { Session, SessionState } from '../api/session'

interface SessionValue {
  readonly session: Session
  readonly client: Client
  readonly state: SessionState
}

const SessionContext = createContext<SessionValue | undefined>(undefined)

interface Props {
  readonly session: Session
  readonly client: Client
  readonly children: ReactNode
}

/** Tries the refresh cookie on load and tells everything below who is looking. */
export function SessionProvider({ session, client, children }: Props) {
  const state = useSyncExternalStore(session.subscribe, () => session.state)
  useEffect(() => {
    void session.refresh()
  }, [session])
  const value = useMemo(() => ({ session, client, state }), [session, client, state])
  return <SessionContext value={value}>{children}</SessionContext>
}

export function useSession(): SessionValue {
  const value = useContext(SessionContext)
  if (!value) throw new Error('useSession needs a SessionProvider above it')
  return value
}
