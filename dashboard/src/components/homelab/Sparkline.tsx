import type { Metric } from '../../lib/catalog'
import { sparkPath } from '../../lib/sparkline'
import type { SeriesTable } from '../../lib/table'
import { TRAIL_MS } from '../../hooks/useTrails'
import { sparkRange } from '../chart/scale'
import styles from './Sparkline.module.css'

const WIDTH = 120
const HEIGHT = 28

interface Props {
  readonly metric: Metric
  readonly trail: SeriesTable | undefined
  readonly now: number
}

/** The last quarter of an hour as a line. The number stands beside it, so that this is only for the eye. */
export function Sparkline({ metric, trail, now }: Props) {
  const cells = trail?.cells(metric.field) ?? []
  const numbers = cells.filter((cell) => typeof cell === 'number')
  const [min, max] = sparkRange(metric.unit, Math.min(...numbers), Math.max(...numbers), metric.kind === 'counter')
  const path = sparkPath({
    times: trail?.times ?? [],
    cells,
    from: now - TRAIL_MS,
    to: now,
    min,
    max,
    width: WIDTH,
    height: HEIGHT,
  })
  return (
    <svg className={styles.sparkline} viewBox={`0 -1 ${WIDTH} ${HEIGHT + 2}`} preserveAspectRatio="none" aria-hidden="true">
      <path d={path} vectorEffect="non-scaling-stroke" />
    </svg>
  )
}
