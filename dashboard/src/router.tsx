import { createRootRoute, createRoute, createRouter } from '@tanstack/react-router'
import type { RouterHistory } from '@tanstack/react-router'
import { readRangeSearch } from './lib/range'
import { AppLayout } from './pages/AppLayout'
import { ErrorPage } from './pages/ErrorPage'
import { EntityPage } from './pages/EntityPage'
import { LoginPage } from './pages/LoginPage'
import { NotFoundPage } from './pages/NotFoundPage'
import { OverviewPage } from './pages/OverviewPage'
import { SetupPage } from './pages/SetupPage'
import { SourcesPage } from './pages/SourcesPage'

export interface OverviewSearch {
  /** Words that names and labels must have. */
  readonly q?: string | undefined
  readonly source?: string | undefined
}

export interface SourcesSearch {
  /** Words that name, kind, agent or state must have. */
  readonly q?: string | undefined
}

export interface LoginSearch {
  /** Where to go on afterwards, within the dashboard. */
  readonly next?: string | undefined
}

// The router keeps what a route's `validateSearch` does not name: what is refused has to be named as undefined.

function text(value: unknown): string | undefined {
  // The router reads `?q=42` as a number.
  if (typeof value === 'number' || typeof value === 'boolean') return String(value)
  return typeof value === 'string' && value !== '' ? value : undefined
}

const rootRoute = createRootRoute({ notFoundComponent: NotFoundPage, errorComponent: ErrorPage })

const loginRoute = createRoute({
  getParentRoute: () => rootRoute,
  path: '/login',
  component: LoginPage,
  validateSearch: (search: Record<string, unknown>): LoginSearch => {
    const next = text(search.next)
    // Only a path of our own: `//host` would be a foreign one.
    return { next: next !== undefined && /^\/(?![/\\])/.test(next) ? next : undefined }
  },
})

const setupRoute = createRoute({ getParentRoute: () => rootRoute, path: '/setup', component: SetupPage })

const appRoute = createRoute({ getParentRoute: () => rootRoute, id: 'app', component: AppLayout })

const overviewRoute = createRoute({
  getParentRoute: () => appRoute,
  path: '/',
  component: OverviewPage,
  validateSearch: (search: Record<string, unknown>): OverviewSearch => ({
    q: text(search.q),
    source: text(search.source),
  }),
})

const sourcesRoute = createRoute({
  getParentRoute: () => appRoute,
  path: '/sources',
  component: SourcesPage,
  validateSearch: (search: Record<string, unknown>): SourcesSearch => ({ q: text(search.q) }),
})

const entityRoute = createRoute({
  getParentRoute: () => appRoute,
  path: '/entity/$key',
  component: EntityPage,
  validateSearch: readRangeSearch,
})

const routeTree = rootRoute.addChildren([
  loginRoute,
  setupRoute,
  appRoute.addChildren([overviewRoute, sourcesRoute, entityRoute]),
])

/** The router of the dashboard, on the browser's address bar unless told otherwise. */
export function createAppRouter(history?: RouterHistory) {
  return createRouter({ routeTree, defaultPreload: false, scrollRestoration: true, ...(history ? { history } : {}) })
}

declare module '@tanstack/react-router' {
  interface Register {
    router: ReturnType<typeof createAppRouter>
  }
}
