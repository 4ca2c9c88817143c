import type { Tone } from '../lib/tone'
import styles from './Dot.module.css'

/** A coloured dot beside a text that says the same. */
export function Dot({ tone, pulse = false }: { readonly tone: Tone; readonly pulse?: boolean }) {
  return <span className={`${styles.dot} ${styles[tone]} ${pulse ? styles.pulse : ''}`} aria-hidden="true" />
}
