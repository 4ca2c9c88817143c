import { useQuery } from '@tanstack/react-query'
import type { CatalogAnswer } from '../api/generated/CatalogAnswer'
import { useSession } from '../context/SessionContext'
import { Catalog } from '../lib/catalog'

function read({ metrics }: CatalogAnswer): Catalog {
  return new Catalog(metrics)
}

/** What every metric means. It changes only when something new is pushed or the server is updated. */
export function useCatalog() {
  const { client } = useSession()
  return useQuery({
    queryKey: ['catalog'],
    queryFn: ({ signal }) => client.catalog(signal),
    select: read,
    staleTime: 5 * 60_000,
  })
}
