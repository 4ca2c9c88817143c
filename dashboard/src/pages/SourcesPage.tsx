import { getRouteApi } from '@tanstack/react-router'
import { SourceTable } from '../components/homelab/SourceTable'
import { ErrorNotice, Notice } from '../components/Notice'
import { SearchField } from '../components/SearchField'
import { Skeleton } from '../components/Skeleton'
import { useNow } from '../hooks/useNow'
import { useSources } from '../hooks/useSources'
import { useTitle } from '../hooks/useTitle'
import { countStates, sourceMatches } from '../lib/source'
import styles from './SourcesPage.module.css'

const route = getRouteApi('/app/sources')

const TICK_MS = 5_000

/** What is watched, how that goes, and what to do where it does not. */
export function SourcesPage() {
  useTitle('Sources')
  const { q } = route.useSearch()
  const navigate = route.useNavigate()
  const now = useNow(TICK_MS)
  const { data, error, refetch } = useSources()
  const change = (text: string) => void navigate({ search: { q: text === '' ? undefined : text }, replace: true })

  if (error && !data) {
    return <ErrorNotice title="The sources could not be loaded" error={error} retry={() => void refetch()} />
  }
  if (!data) {
    return (
      <div className={styles.skeleton} role="status" aria-label="Loading the sources">
        <Skeleton height="1.875rem" width="9rem" />
        <Skeleton height="16rem" />
      </div>
    )
  }
  const shown = data.sources.filter((source) => sourceMatches(source, q ?? ''))
  const isEmpty = data.sources.length === 0
  return (
    <>
      <div className={styles.head}>
        <div>
          <h1>Sources</h1>
          {!isEmpty && <p className={styles.counts}>{countStates(data.sources)}</p>}
        </div>
        {!isEmpty && <SearchField label="Search names, kinds, states" value={q ?? ''} onChange={change} />}
      </div>
      {isEmpty && (
        <Notice icon="inbox" title="Nothing is watched yet">
          <p>Name a source in the configuration file, check it, and start Homelog again:</p>
          <code>homelog check --config homelog.toml</code>
        </Notice>
      )}
      {shown.length > 0 && <SourceTable sources={shown} now={now} />}
      {!isEmpty && shown.length === 0 && (
        <Notice icon="search" title="Nothing matches">
          <p>
            <button type="button" className={styles.clear} onClick={() => change('')}>
              Show all sources
            </button>
          </p>
        </Notice>
      )}
    </>
  )
}
