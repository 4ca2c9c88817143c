import { Outlet, useRouter } from '@tanstack/react-router'
import { useEffect } from 'react'
import { AppShell } from '../components/AppShell'
import { CenteredPage } from '../components/CenteredPage'
import { ErrorNotice } from '../components/Notice'
import { LiveProvider } from '../context/LiveContext'
import { useSession } from '../context/SessionContext'

/** Everything that needs a session. */
export function AppLayout() {
  const { session, state } = useSession()
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
      return <ToLogin />
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

/** Leads to the log-in, which comes back to where this was. */
function ToLogin() {
  const router = useRouter()
  useEffect(() => {
    // Read once: while the way leads to the log-in, the address is already the log-in's.
    const { href, pathname } = router.state.location
    if (pathname !== '/login') void router.navigate({ to: '/login', search: href === '/' ? {} : { next: href }, replace: true })
  }, [router])
  return <CenteredPage />
}
