import { useQuery } from '@tanstack/react-query'
import { useEffect, useMemo, useSyncExternalStore } from 'react'
import type { EntityState } from '../api/generated/EntityState'
import { useRealtime } from '../context/LiveContext'
import { useSession } from '../context/SessionContext'
import { Lab } from '../lib/lab'
import { useCatalog } from './useCatalog'

const nothing: readonly EntityState[] = []
const noSubscription = () => () => {}

/** The newest state of everything, or of all that one source sees, moving. */
export function useLab(source?: string) {
  const { client } = useSession()
  const realtime = useRealtime()
  const catalog = useCatalog()
  const query = useQuery({
    queryKey: ['entities', source ?? null],
    queryFn: ({ signal }) => client.entities(source === undefined ? {} : { source }, signal),
    staleTime: Infinity,
    gcTime: 0,
  })
  const { data, refetch } = query
  const lab = useMemo(() => catalog.data && data && new Lab(catalog.data, data), [catalog.data, data])

  useEffect(() => {
    if (!lab) return undefined
    return realtime.subscribe(source === undefined ? {} : { source }, lab.position, {
      onUpdate: ({ data: event }) => lab.apply(event),
      onGap: () => void refetch(),
    })
  }, [lab, realtime, source, refetch])

  const entities = useSyncExternalStore(lab?.subscribe ?? noSubscription, () => lab?.entities ?? nothing)
  return {
    lab,
    catalog: catalog.data,
    entities,
    error: catalog.error ?? query.error,
    retry: () => {
      void catalog.refetch()
      void refetch()
    },
  }
}
