import { useMutation, useQuery, useQueryClient } from '@tanstack/react-query'
import type { Preferences } from '../api/generated/Preferences'
import { useSession } from '../context/SessionContext'

const QUERY_KEY = ['preferences']

/** What this user set, on every device. Without an answer the defaults of this browser hold. */
export function usePreferences() {
  const { client } = useSession()
  const queryClient = useQueryClient()
  const { data } = useQuery({
    queryKey: QUERY_KEY,
    queryFn: ({ signal }) => client.preferences(signal),
    staleTime: Infinity,
    retry: false,
    refetchInterval: false,
  })
  const { mutate } = useMutation({
    // Preferences are stored as a whole, so that others' keys are kept.
    mutationFn: (change: Readonly<Record<string, string>>) =>
      client.putPreferences({ preferences: { ...data?.preferences, ...change } }),
    onMutate: (change) => {
      queryClient.setQueryData<Preferences>(QUERY_KEY, (before) => ({ preferences: { ...before?.preferences, ...change } }))
    },
  })
  return { preferences: data?.preferences, setPreferences: mutate }
}
