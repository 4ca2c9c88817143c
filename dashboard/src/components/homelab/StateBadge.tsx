import { toneOf } from '../../lib/tone'
import { Dot } from '../Dot'
import styles from './StateBadge.module.css'

/** A state in its own word, with the colour that it commonly has. */
export function StateBadge({ state }: { readonly state: string }) {
  return (
    <span className={styles.badge} data-testid="entity-state">
      <Dot tone={toneOf(state)} />
      {state}
    </span>
  )
}
