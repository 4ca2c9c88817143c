import { QueryClient, QueryClientProvider } from '@tanstack/react-query'
import { RouterProvider } from '@tanstack/react-router'
import { useEffect, useState } from 'react'
import { Client } from './api/client'
import { ApiError } from './api/errors'
import type { Session } from './api/session'
import { SessionProvider } from './context/SessionContext'
import { ThemeProvider } from './context/ThemeContext'
import type { createAppRouter } from './router'

/** How long a failed answer stands before it is asked for again. */
const HEAL_MS = 10_000

function createQueryClient(): QueryClient {
  return new QueryClient({
    defaultOptions: {
      queries: {
        // What the server refuses, it refuses again.
        retry: (failures, error) => failures < 2 && !(error instanceof ApiError && error.status < 500),
        refetchOnWindowFocus: false,
        // What failed heals by itself, such as while the server starts.
        refetchInterval: (query) => (query.state.status === 'error' ? HEAL_MS : false),
      },
    },
  })
}

interface Props {
  readonly session: Session
  readonly router: ReturnType<typeof createAppRouter>
}

/** The dashboard with all that it stands on. */
export function App({ session, router }: Props) {
  const [client] = useState(() => new Client(session))
  const [queryClient] = useState(createQueryClient)

  useEffect(
    // Nothing of one person's session is left for the next.
    () =>
      session.subscribe(() => {
        if (session.state.status === 'anonymous') queryClient.clear()
      }),
    [session, queryClient],
  )

  return (
    <ThemeProvider>
      <QueryClientProvider client={queryClient}>
        <SessionProvider session={session} client={client}>
          <RouterProvider router={router} />
        </SessionProvider>
      </QueryClientProvider>
    </ThemeProvider>
  )
}
