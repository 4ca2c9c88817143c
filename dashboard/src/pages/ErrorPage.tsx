import type { ErrorComponentProps } from '@tanstack/react-router'
import { CenteredPage } from '../components/CenteredPage'
import { ErrorNotice } from '../components/Notice'

/** In place of a page that could not be drawn. */
export function ErrorPage({ error }: ErrorComponentProps) {
  return (
    <CenteredPage>
      <ErrorNotice title="This page could not be shown" error={error} retry={() => window.location.reload()} />
    </CenteredPage>
  )
}
