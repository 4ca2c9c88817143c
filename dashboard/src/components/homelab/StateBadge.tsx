import { toneOf } from '../../lib/tone'
import { Dot } from '../Dot'
import styles from './StateBadge.module.css'

interface Props {
  readonly state: string
  /** Nothing was heard for a while: this is how it was then. */
  readonly isQuiet: boolean
}

/** A state in its own word, with the colour that it commonly has. */
export function StateBadge({ state, isQuiet }: Props) {
  return (
    <span className={styles.badge} data-testid="entity-state">
      <Dot tone={isQuiet ? 'idle' : toneOf(state)} />
      {state}
    </span>
  )
}
