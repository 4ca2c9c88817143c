import type uPlot from 'uplot'
import { formatTicks } from '../../lib/format'
import { formatTimeTick } from '../../lib/time'
import { alonePoints } from './points'
import { BYTE_STEPS, DURATION_STEPS, yRange } from './scale'

export interface ChartShape {
  readonly unit: string
  readonly isRate: boolean
  /** One per line; the place in the list decides the colour. */
  readonly labels: readonly string[]
  /** Whether the first line has its smallest and largest values around it, as two more columns of data. */
  readonly hasBand: boolean
}

export interface ChartHooks {
  readonly onSelect: (from: number, to: number) => void
  readonly onCursor: (row: number | undefined, left: number) => void
  readonly markers: () => readonly number[]
  readonly onReset: () => void
}

/** Colours of the theme that a canvas is drawn with, besides those of series; `tokens.css` registers them for that. */
export const CANVAS_COLOURS = ['--ink-3', '--chart-grid', '--warn'] as const
type SeriesColour = `--series-${number}`
const COLOURS = 8
/** All charts of a page move their cursors together. */
const SYNC_KEY = 'homelog'
/** Narrower drags are clicks, in CSS pixels. */
const MIN_DRAG = 6

export function seriesColour(index: number): SeriesColour {
  return `--series-${(index % COLOURS) + 1}`
}

/** A colour of the theme as the canvas needs it. */
function resolve(property: (typeof CANVAS_COLOURS)[number] | SeriesColour, alpha = 1): string {
  const colour = getComputedStyle(document.documentElement).getPropertyValue(property).trim()
  return alpha === 1 ? colour : `color-mix(in oklab, ${colour} ${alpha * 100}%, transparent)`
}

function axes({ unit, isRate }: ChartShape): uPlot.Axis[] {
  const shared = {
    stroke: () => resolve('--ink-3'),
    grid: { stroke: () => resolve('--chart-grid'), width: 1 },
    ticks: { show: false },
    font: '11px system-ui, sans-serif',
  }
  return [
    {
      ...shared,
      grid: { show: false },
      size: 26,
      gap: 6,
      space: 72,
      values: (_chart, splits, _axis, _space, step) => splits.map((split) => formatTimeTick(split, step)),
    },
    {
      ...shared,
      size: 64,
      gap: 6,
      space: 34,
      ...(unit === 'bytes' || unit === 'bytes_per_second' ? { incrs: BYTE_STEPS } : {}),
      ...(unit === 'seconds' && !isRate ? { incrs: DURATION_STEPS } : {}),
      values: (_chart, splits) => formatTicks(splits, unit, isRate),
    },
  ]
}

function line(label: string, index: number, isOnly: boolean): uPlot.Series {
  const colour = seriesColour(index)
  const series: uPlot.Series = {
    label,
    width: 1.5,
    stroke: () => resolve(colour),
    points: { size: 5, show: false, filter: alone },
  }
  return isOnly ? { ...series, fill: () => resolve(colour, 0.1) } : series
}

/** Values without a neighbour: no line goes through them, so that they need a point. */
function alone(chart: uPlot, index: number): number[] | null {
  const rows = alonePoints(chart.data[index] ?? [])
  return rows.length > 0 ? rows : null
}

/** The two invisible lines between which the band is drawn. */
function bandEdge(): uPlot.Series {
  return { width: 0, stroke: 'transparent', points: { show: false } }
}

function drawMarkers(chart: uPlot, times: readonly number[]): void {
  const { ctx, bbox } = chart
  ctx.save()
  ctx.strokeStyle = resolve('--warn', 0.75)
  ctx.lineWidth = window.devicePixelRatio
  ctx.setLineDash([4 * window.devicePixelRatio, 3 * window.devicePixelRatio])
  ctx.beginPath()
  // Many changes in one pixel are one line.
  const places = new Set(times.map((time) => Math.round(chart.valToPos(time / 1000, 'x', true)) + 0.5))
  for (const x of places) {
    if (x < bbox.left || x > bbox.left + bbox.width) continue
    ctx.moveTo(x, bbox.top)
    ctx.lineTo(x, bbox.top + bbox.height)
  }
  ctx.stroke()
  ctx.restore()
}

/** uPlot's options. They change only with the shape: data, size and range are set on the living chart. */
export function chartOptions(shape: ChartShape, width: number, height: number, hooks: ChartHooks): uPlot.Options {
  const { labels, hasBand } = shape
  return {
    width,
    height,
    legend: { show: false },
    padding: [10, 20, 0, 0],
    scales: {
      x: { time: true, auto: false },
      y: { range: (_chart, min, max) => yRange(shape.unit, min, max, shape.isRate) },
    },
    axes: axes(shape),
    series: [
      {},
      ...labels.map((label, index) => line(label, index, labels.length === 1 && !hasBand)),
      ...(hasBand ? [bandEdge(), bandEdge()] : []),
    ],
    bands: hasBand ? [{ series: [3, 2], fill: () => resolve(seriesColour(0), 0.18) }] : [],
    cursor: {
      y: false,
      drag: { x: true, y: false, setScale: false, dist: MIN_DRAG },
      // Only the place of the cursor is shared: a drag belongs to the chart that it was made in.
      sync: { key: SYNC_KEY, filters: { pub: (type) => type === 'mousemove' || type === 'mouseleave' } },
      points: { size: 7 },
      bind: {
        dblclick: () => () => {
          hooks.onReset()
          return null
        },
      },
    },
    hooks: {
      setSelect: [
        (chart) => {
          const { left, width: dragged } = chart.select
          if (dragged < MIN_DRAG) return
          hooks.onSelect(chart.posToVal(left, 'x') * 1000, chart.posToVal(left + dragged, 'x') * 1000)
          chart.setSelect({ left: 0, top: 0, width: 0, height: 0 }, false)
        },
      ],
      setCursor: [(chart) => hooks.onCursor(chart.cursor.idx ?? undefined, chart.cursor.left ?? -1)],
      draw: [(chart) => drawMarkers(chart, hooks.markers())],
    },
  }
}
