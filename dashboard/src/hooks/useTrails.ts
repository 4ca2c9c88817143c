import { useQuery } from '@tanstack/react-query'
import { useEffect } from 'react'
import { useSession } from '../context/SessionContext'
import { toNumber } from '../lib/catalog'
import type { Metric } from '../lib/catalog'
import type { Lab } from '../lib/lab'
import { SeriesTable } from '../lib/table'
import type { ColumnInput } from '../lib/table'

/** How much of the past a sparkline shows. */
export const TRAIL_MS = 15 * 60_000
const STEP_S = 15

/** Loads the recent course of some metrics for all entities of a type, in one or two requests. */
export function useTrails(lab: Lab, type: string, metrics: readonly Metric[]): void {
  const { client } = useSession()
  const gauges = metrics.filter(({ kind }) => kind === 'gauge').map(({ field }) => field)
  const counters = metrics.filter(({ kind }) => kind === 'counter').map(({ field }) => field)
  const { data } = useQuery({
    queryKey: ['trails', lab.position, type, gauges, counters],
    queryFn: ({ signal }) => {
      const asked = { type, from: '-15m', to: 'now', step: STEP_S } as const
      return Promise.all([
        gauges.length > 0 ? client.range({ ...asked, field: gauges, agg: ['mean'] }, signal) : undefined,
        counters.length > 0 ? client.range({ ...asked, field: counters, agg: ['rate'] }, signal) : undefined,
      ])
    },
    enabled: metrics.length > 0,
    staleTime: Infinity,
    gcTime: 0,
  })

  useEffect(() => {
    if (!data) return
    const columns = new Map<string, ColumnInput[]>()
    let until = 0
    for (const answer of data) {
      until = Math.max(until, answer?.to ?? 0)
      for (const { entity, field, times, values } of answer?.series ?? []) {
        const metric = metrics.find((one) => one.field === field)
        if (!metric) continue
        const numbers = values.map((value) => toNumber({ ...metric, value: 'float' }, value) ?? null)
        columns.set(entity, [...(columns.get(entity) ?? []), { field, times, values: numbers }])
      }
    }
    for (const [key, inputs] of columns) lab.setTrail(key, SeriesTable.from(STEP_S * 1000, until, inputs))
    // oxlint-disable-next-line react/exhaustive-deps -- the list of metrics is part of the answer's key
  }, [data, lab])
}
