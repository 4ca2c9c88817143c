import { useEffect, useState } from 'react'
import type { RefObject } from 'react'
import uPlot from 'uplot'
import { chartOptions } from '../components/chart/options'
import type { ChartHooks, ChartShape } from '../components/chart/options'
import { useElementWidth } from './useElementWidth'
import { useLatest } from './useLatest'

interface Input {
  /** Where the chart goes; its width is the chart's. */
  readonly host: RefObject<HTMLElement | null>
  readonly shape: ChartShape
  readonly height: number
  readonly data: uPlot.AlignedData
  /** Unix seconds. */
  readonly from: number
  readonly to: number
  readonly theme: string
  readonly hooks: ChartHooks
}

/**
 * One uPlot chart. It is built again only when its shape or the theme changes; data, size and range are set on the
 * living one.
 */
export function useUplot({ host, shape, height, data, from, to, theme, hooks }: Input): uPlot | undefined {
  const [built, setBuilt] = useState<{ readonly plot: uPlot; readonly shapeKey: string }>()
  const width = useElementWidth(host)
  const latestHooks = useLatest(hooks)
  const latest = useLatest({ data, from, to })
  const shapeKey = JSON.stringify(shape)
  const isSized = width > 0
  // Between a new shape and its chart, the old chart must not get data of other columns.
  const chart = built?.shapeKey === shapeKey ? built.plot : undefined

  useEffect(() => {
    const element = host.current
    if (!element || !isSized) return undefined
    const plot = new uPlot(
      chartOptions(JSON.parse(shapeKey) as ChartShape, element.clientWidth, height, {
        onSelect: (start, end) => latestHooks.current.onSelect(start, end),
        onCursor: (row, left) => latestHooks.current.onCursor(row, left),
        onReset: () => latestHooks.current.onReset(),
        markers: () => latestHooks.current.markers(),
      }),
      latest.current.data,
      element,
    )
    plot.setScale('x', { min: latest.current.from, max: latest.current.to })
    // oxlint-disable-next-line react/set-state-in-effect -- the chart is an external system that this effect makes
    setBuilt({ plot, shapeKey })
    return () => {
      setBuilt(undefined)
      plot.destroy()
    }
    // oxlint-disable-next-line react/exhaustive-effect-dependencies -- the theme is read by the options while they draw
  }, [host, shapeKey, height, theme, isSized, latestHooks, latest])

  useEffect(() => {
    if (chart && width > 0 && chart.width !== width) chart.setSize({ width, height })
  }, [chart, width, height])

  useEffect(() => {
    chart?.batch(() => {
      chart.setData(data, false)
      chart.setScale('x', { min: from, max: to })
    })
  }, [chart, data, from, to])

  return chart
}
