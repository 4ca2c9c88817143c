import { QueryClient, QueryClientProvider } from '@tanstack/react-query'
import { RouterProvider } from '@tanstack/react-router'
import { StrictMode } from 'react'
import { createRoot } from 'react-dom/client'
import 'uplot/dist/uPlot.min.css'
import { Client } from './api/client'
import { ApiError } from './api/errors'
import { Session } from './api/session'
import { SessionProvider } from './context/SessionContext'
import { ThemeProvider } from './context/ThemeContext'
import { router } from './router'
import './styles/tokens.css'
import './styles/base.css'

/** How long a failed answer stands before it is asked for again. */
const HEAL_MS = 10_000

const session = new Session()
const client = new Client(session)
const queryClient = new QueryClient({
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

// Nothing of one person's session is left for the next.
session.subscribe(() => {
  if (session.state.status === 'anonymous') queryClient.clear()
})

const root = document.querySelector('#root')
if (!root) throw new Error('the page has no #root element')

createRoot(root).render(
  <StrictMode>
    <ThemeProvider>
      <QueryClientProvider client={queryClient}>
        <SessionProvider session={session} client={client}>
          <RouterProvider router={router} />
        </SessionProvider>
      </QueryClientProvider>
    </ThemeProvider>
  </StrictMode>,
)
