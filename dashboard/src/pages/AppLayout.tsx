import { Navigate, Outlet, useLocation } from '@tanstack/react-router'
import { AppShell } from '../components/AppShell'
import { CenteredPage } from '../components/CenteredPage'
import { ErrorNotice } from '../components/Notice'
import { LiveProvider } from '../context/LiveContext'
import { useSession } from '../context/SessionContext'

/** Everything that needs a session. */
export function AppLayout() {
  const { session, state } = useSession()
  const next = useLocation({ select: ({ href }) => href })
  switch (state.status) {
    case 'unknown':
      return <CenteredPage />
    case 'unreachable':
      return (
        <CenteredPage>
          <ErrorNotice title="Homelog does not answer" error={state.error} retry={() => void session.refresh()} />
        </CenteredPage>
      )
    case 'anonymous':
      return <Navigate to="/login" search={next === '/' ? {} : { next }} replace />
    case 'authenticated':
      return (
        <LiveProvider>
          <AppShell>
            <Outlet />
          </AppShell>
        </LiveProvider>
      )
  }
}
