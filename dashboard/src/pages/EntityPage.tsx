import { getRouteApi, Link } from '@tanstack/react-router'
import { useMemo } from 'react'
import { ChangeList } from '../components/homelab/ChangeList'
import { EntityCharts } from '../components/homelab/EntityCharts'
import { EntityHeader } from '../components/homelab/EntityHeader'
import { RelatedEntities } from '../components/homelab/RelatedEntities'
import { ErrorNotice, Notice } from '../components/Notice'
import { RangePicker } from '../components/RangePicker'
import { Section } from '../components/Section'
import { Skeleton } from '../components/Skeleton'
import { useCatalog } from '../hooks/useCatalog'
import { useChanges } from '../hooks/useChanges'
import { useEntity } from '../hooks/useEntity'
import { useNow } from '../hooks/useNow'
import { useSources } from '../hooks/useSources'
import { useTitle } from '../hooks/useTitle'
import { drawnFields, entityName, SOURCE_TELLS_S, sourceEntityKey } from '../lib/entity'
import { fixedSearch, MIN_RANGE_MS, spanMs, timeRange } from '../lib/range'
import type { RangeSearch } from '../lib/range'
import { entriesOf } from '../lib/record'
import { resolutionFor } from '../lib/resolution'
import styles from './EntityPage.module.css'

const route = getRouteApi('/app/entity/$key')

/** The live edge moves by about a pixel at a time. */
const PIXELS = 600
const LONGEST_TICK_MS = 30_000

/** One entity: its state, its history up to now, and what happened to it. */
export function EntityPage() {
  const { key } = route.useParams()
  const search = route.useSearch()
  const navigate = route.useNavigate()
  const range = useMemo(() => timeRange(search), [search])
  const length = range.kind === 'live' ? spanMs(range.span) : range.to - range.from
  const now = useNow(Math.min(LONGEST_TICK_MS, Math.max(1_000, length / PIXELS)))
  const to = range.kind === 'live' ? now : range.to
  const from = to - length

  const catalog = useCatalog()
  const sources = useSources()
  const { entity, error, retry } = useEntity(key)
  const changes = useChanges(key, range)
  const source = sources.data?.sources.find(({ name }) => name === entity?.source)
  useTitle(entity ? entityName(entity) : undefined)

  const changeTimes = useMemo(() => changes.events.map(({ time }) => Date.parse(time)), [changes.events])
  // The same list as long as the same fields are there: values change every few seconds, what is drawn does not.
  const fieldList = entity ? drawnFields(entity, from, new Set(changeTimes), source?.interval_seconds ?? 0).join(' ') : ''
  const type = entity?.type ?? ''
  const metrics = useMemo(
    () =>
      catalog.data === undefined || fieldList === ''
        ? []
        : fieldList.split(' ').map((field) => catalog.data.metric(type, field, entity?.fields[field]?.value)),
    // oxlint-disable-next-line react/exhaustive-deps -- a value is only looked at for a field that the catalogue does not know
    [catalog.data, type, fieldList],
  )

  const setRange = (next: RangeSearch) => void navigate({ search: next })
  const zoomOut = () => {
    if (range.kind === 'fixed') void navigate({ search: {} })
  }

  if (error ?? catalog.error) {
    return <ErrorNotice title="This could not be loaded" error={error ?? catalog.error} retry={retry} />
  }
  if (entity === null) {
    return (
      <Notice icon="search" title="There is no such entity">
        <p>
          <code>{key}</code> was never observed, or it is older than what is kept.
        </p>
        <Link to="/" className={styles.link}>
          Go to the overview
        </Link>
      </Notice>
    )
  }
  if (!entity || !catalog.data || sources.isPending) return <EntitySkeleton />
  return (
    <>
      <div className={styles.head}>
        <EntityHeader entity={entity} source={source} now={now} />
        <RangePicker search={search} now={now} onChange={setRange} />
      </div>
      <EntityCharts
        entity={key}
        sourceEntity={sourceEntityKey(entity.source)}
        metrics={metrics}
        values={Object.fromEntries(entriesOf(entity.fields).map(([field, { value }]) => [field, value]))}
        range={range}
        from={from}
        to={to}
        step={resolutionFor(length, source?.interval_seconds)}
        sourceStep={resolutionFor(length, SOURCE_TELLS_S)}
        markers={changeTimes}
        onSelect={(start, end) => {
          if (end - start >= MIN_RANGE_MS) setRange(fixedSearch(start, end))
        }}
        onReset={zoomOut}
      />
      <RelatedEntities entity={entity} now={now} source={source} />
      <Section title="Changes" count={changes.isPending ? undefined : changes.events.length}>
        {changes.error ? (
          <ErrorNotice title="The changes could not be loaded" error={changes.error} retry={changes.retry} />
        ) : changes.isPending ? (
          <Skeleton height="4rem" />
        ) : changes.events.length > 0 ? (
          <ChangeList events={changes.events} catalog={catalog.data} now={now} />
        ) : (
          <p className={styles.none}>Nothing changed in this range.</p>
        )}
      </Section>
    </>
  )
}

function EntitySkeleton() {
  return (
    <div className={styles.skeleton} role="status" aria-label="Loading">
      <Skeleton height="1.875rem" width="14rem" />
      <Skeleton height="1rem" width="24rem" />
      <Skeleton height="15rem" />
      <Skeleton height="15rem" />
    </div>
  )
}
