import { useMemo } from 'react'
import type uPlot from 'uplot'
import { formatNumber } from '../../lib/format'
import { edgeColumn } from '../../lib/history'
import type { History } from '../../lib/history'
import type { Panel } from '../../lib/panels'
import { Chart } from '../chart/Chart'

interface Props {
  readonly panel: Panel
  /** Newest value by field. */
  readonly values: Readonly<Record<string, unknown>>
  readonly history: History
  /** Grows when the history does. */
  readonly version: number
  readonly from: number
  readonly to: number
  readonly markers: readonly number[]
  readonly onSelect: (from: number, to: number) => void
  readonly onReset: () => void
}

function collect({ table }: History, panel: Panel, hasBand: boolean): uPlot.AlignedData {
  const columns = panel.series.map(({ field }) => [...table.cells(field)])
  const [first] = panel.series
  if (hasBand && first) {
    columns.push([...table.cells(edgeColumn(first.field, 'min'))], [...table.cells(edgeColumn(first.field, 'max'))])
  }
  return [table.times.map((time) => time / 1000), ...columns]
}

/** One chart of an entity, drawn from what its history holds now. */
export function PanelChart({ panel, values, history, version, from, to, markers, onSelect, onReset }: Props) {
  const [first] = panel.series
  const hasBand = panel.series.length === 1 && first !== undefined && history.table.has(edgeColumn(first.field, 'min'))
  // oxlint-disable-next-line react/exhaustive-deps -- the history changes in place; its version tells when
  const data = useMemo(() => collect(history, panel, hasBand), [history, panel, hasBand, version])
  const wholes = panel.series.map(({ whole }) => (whole === undefined ? undefined : Number(values[whole]))).join(' ')
  // Wholes hardly ever change: the same lines as long as they do not.
  const lines = useMemo(() => {
    const numbers = wholes.split(' ').map((text) => (text === '' ? Number.NaN : Number(text)))
    return panel.series.map((series, index) => ({
      ...series,
      whole: (numbers[index] ?? 0) > 0 ? `of ${formatNumber(numbers[index] ?? 0, panel.unit)}` : undefined,
    }))
  }, [panel, wholes])
  return (
    <Chart
      title={panel.title}
      unit={panel.unit}
      isRate={panel.isRate}
      lines={lines}
      data={data}
      hasBand={hasBand}
      from={from}
      to={to}
      markers={markers}
      onSelect={onSelect}
      onReset={onReset}
    />
  )
}
