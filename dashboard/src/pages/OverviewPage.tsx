import { getRouteApi } from '@tanstack/react-router'
import { SourceList } from '../components/homelab/SourceList'
import { TypeSection } from '../components/homelab/TypeSection'
import { ErrorNotice, Notice } from '../components/Notice'
import { SearchField } from '../components/SearchField'
import { Section } from '../components/Section'
import { useLab } from '../hooks/useLab'
import { useNow } from '../hooks/useNow'
import { useSources } from '../hooks/useSources'
import { useTitle } from '../hooks/useTitle'
import { groupByType, isQuiet, lastSeen, matchesSearch } from '../lib/entity'
import type { OverviewSearch } from '../router'
import styles from './OverviewPage.module.css'
import { OverviewSkeleton } from './OverviewSkeleton'

const route = getRouteApi('/app/')

const TICK_MS = 5_000
/** What was not seen for this long is left out until it is searched for. */
const GONE_MS = 24 * 3_600_000

/** What exists, how it is, and what it did in the last minutes. */
export function OverviewPage() {
  useTitle(undefined)
  const search = route.useSearch()
  const navigate = route.useNavigate()
  const now = useNow(TICK_MS)
  const sources = useSources()
  const { lab, catalog, entities, error, retry } = useLab()

  const change = (part: OverviewSearch) => {
    const { q, source } = { ...search, ...part }
    void navigate({ search: { q: q === '' ? undefined : q, source }, replace: true })
  }

  if (error) return <ErrorNotice title="The overview could not be loaded" error={error} retry={retry} />
  if (!lab || !catalog) return <OverviewSkeleton />

  const ofName = new Map(sources.data?.sources.map((source) => [source.name, source]))
  const matching = entities.filter(
    (entity) =>
      // How a source does stands above; its own history is shown with all else that it sees.
      (entity.type !== 'source' || search.source !== undefined) &&
      (search.source === undefined || entity.source === search.source) &&
      matchesSearch(entity, search.q ?? ''),
  )
  // What is gone for good is found by a search, and is in nobody's way without one.
  const shown = search.q === undefined ? matching.filter((entity) => now - lastSeen(entity) < GONE_MS) : matching
  const gone = matching.length - shown.length
  const seen = new Map<string, number>()
  for (const entity of entities) seen.set(entity.source, Math.max(seen.get(entity.source) ?? 0, lastSeen(entity)))
  const isEmpty = entities.length === 0
  const listed = (sources.data?.sources ?? []).filter(({ state }) => state !== 'removed')
  return (
    <>
      <div className={styles.head}>
        <h1>Overview</h1>
        {!isEmpty && (
          <SearchField label="Search names and labels" value={search.q ?? ''} onChange={(q) => change({ q })} />
        )}
      </div>
      {sources.error && !sources.data ? (
        <ErrorNotice title="The sources could not be loaded" error={sources.error} retry={() => void sources.refetch()} />
      ) : (
        sources.data &&
        listed.length > 0 && (
          <Section title="Sources" count={listed.length}>
            <SourceList
              sources={listed}
              now={now}
              seen={seen}
              selected={search.source}
              onSelect={(source) => change({ source })}
            />
          </Section>
        )
      )}
      {groupByType(shown).map(([type, group]) => (
        <TypeSection
          key={type}
          type={type}
          entities={group}
          all={entities.filter((entity) => entity.type === type)}
          catalog={catalog}
          lab={lab}
          now={now}
          isQuiet={(entity) => isQuiet(entity, now, ofName.get(entity.source))}
        />
      ))}
      {isEmpty && (
        <Notice icon="inbox" title="Nothing has been observed yet">
          <p>
            The first readings come within seconds of a source being up. If there is no source, name one in the
            configuration file, check it, and start Homelog again:
          </p>
          <code>homelog check --config homelog.toml</code>
        </Notice>
      )}
      {gone > 0 && <p className={styles.gone}>{gone} more, not seen for a day: a search finds them.</p>}
      {!isEmpty && matching.length === 0 && (
        <Notice icon="search" title="Nothing matches">
          <p>
            <button type="button" className={styles.clear} onClick={() => change({ q: undefined, source: undefined })}>
              Show everything
            </button>
          </p>
        </Notice>
      )}
    </>
  )
}
