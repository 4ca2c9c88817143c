import { useMemo, useRef, useState } from 'react'
import type { KeyboardEvent } from 'react'
import type uPlot from 'uplot'
import { useTheme } from '../../context/ThemeContext'
import { useUplot } from '../../hooks/useUplot'
import { formatNumber, NO_VALUE } from '../../lib/format'
import { formatInstant } from '../../lib/time'
import styles from './Chart.module.css'
import { seriesColour } from './options'

export interface ChartLine {
  readonly field: string
  readonly label: string
  readonly help: string
  /** Written behind the value: `of 15.6 GiB`. */
  readonly whole?: string | undefined
}

export interface ChartProps {
  readonly title: string
  readonly unit: string
  readonly isRate: boolean
  readonly lines: readonly ChartLine[]
  /** Times in Unix seconds, one column per line, then the edges of the band if there is one. */
  readonly data: uPlot.AlignedData
  readonly hasBand: boolean
  /** Ends of the time axis, Unix milliseconds. */
  readonly from: number
  readonly to: number
  /** Instants to mark, Unix milliseconds. */
  readonly markers: readonly number[]
  readonly onSelect: (from: number, to: number) => void
  readonly onReset: () => void
}

const HEIGHT = 190
/** Lines that the legend names; more would be longer than the chart. */
const LEGEND_LINES = 8
const noRow = { row: undefined, left: 0 } as const

function lastValue(cells: uPlot.AlignedData[number] | undefined): number | undefined {
  for (let row = (cells?.length ?? 0) - 1; row >= 0; row -= 1) {
    const value = cells?.[row]
    if (typeof value === 'number') return value
  }
  return undefined
}

/** The value of a line under the cursor: that of the row, or of the last row before it that has one. */
function valueAt(cells: uPlot.AlignedData[number] | undefined, row: number): number | undefined {
  for (let at = row; at >= 0 && at > row - 12; at -= 1) {
    const value = cells?.[at]
    if (value === null) return undefined
    if (typeof value === 'number') return value
  }
  return undefined
}

/** Lines over time with a legend that reads out values: the newest, or those under the cursor. */
export function Chart({ title, unit, isRate, lines, data, hasBand, from, to, markers, onSelect, onReset }: ChartProps) {
  const host = useRef<HTMLDivElement>(null)
  const { theme } = useTheme()
  const [cursor, setCursor] = useState<{ readonly row: number | undefined; readonly left: number }>(noRow)
  const shape = useMemo(() => ({ unit, isRate, labels: lines.map(({ label }) => label), hasBand }), [unit, isRate, lines, hasBand])
  const chart = useUplot({
    host,
    shape,
    height: HEIGHT,
    data,
    from: from / 1000,
    to: to / 1000,
    theme,
    hooks: {
      onSelect,
      onReset,
      markers: () => markers,
      onCursor: (row, left) => setCursor(left < 0 ? noRow : { row, left }),
    },
  })

  const { row, left } = cursor
  const time = row === undefined ? undefined : data[0][row]
  const read = (index: number) => {
    const value = row === undefined ? lastValue(data[index + 1]) : valueAt(data[index + 1], row)
    return value === undefined ? NO_VALUE : formatNumber(value, unit, isRate)
  }

  const moveBy = (event: KeyboardEvent) => {
    if (!chart) return
    const steps: Record<string, number> = { ArrowLeft: -1, ArrowRight: 1, PageUp: -20, PageDown: 20 }
    const step = steps[event.key]
    if (event.key === 'Escape') chart.setCursor({ left: -10, top: -10 })
    else if (step !== undefined) {
      const rows = data[0].length
      const next = Math.max(0, Math.min(rows - 1, (row ?? rows - 1 - step) + step))
      chart.setCursor({ left: chart.valToPos(data[0][next] ?? 0, 'x'), top: 10 })
    } else return
    event.preventDefault()
  }

  const named = lines.slice(0, LEGEND_LINES)
  return (
    <figure className={styles.chart} data-testid="chart" data-title={title}>
      <figcaption className={styles.caption}>
        <h3 title={lines.length === 1 ? lines[0]?.help : undefined}>{title}</h3>
        <ul className={styles.legend} aria-label={`${title}, values`}>
          {named.map(({ field, label, help, whole }, index) => (
            <li key={field} title={help}>
              {lines.length > 1 && (
                <>
                  <span className={styles.swatch} style={{ background: `var(${seriesColour(index)})` }} aria-hidden="true" />
                  <span className={styles.label}>{label}</span>
                </>
              )}
              <output className={styles.value} data-testid="chart-value" data-field={field}>
                {read(index)}
              </output>
              {whole !== undefined && <span className={styles.label}>{whole}</span>}
            </li>
          ))}
          {lines.length > named.length && <li className={styles.label}>and {lines.length - named.length} more</li>}
        </ul>
      </figcaption>
      {/* oxlint-disable-next-line jsx-a11y/no-noninteractive-element-interactions -- the arrow keys move its cursor */}
      <div
        className={styles.plot}
        tabIndex={0}
        role="application"
        aria-label={`${title}, chart: arrow keys read values`}
        onKeyDown={moveBy}
      >
        <div ref={host} />
        {time !== undefined && typeof time === 'number' && (
          <div
            className={styles.tooltip}
            role="tooltip"
            style={{ left: `${Math.round(left + (chart ? chart.over.offsetLeft : 0))}px` }}
          >
            {formatInstant(time * 1000)}
          </div>
        )}
      </div>
    </figure>
  )
}
