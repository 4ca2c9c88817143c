import { useId } from 'react'
import type { ReactNode } from 'react'
import styles from './Section.module.css'

interface Props {
  readonly title: string
  readonly count?: number | undefined
  readonly children: ReactNode
}

/** A part of a page under its heading. */
export function Section({ title, count, children }: Props) {
  const id = useId()
  return (
    <section className={styles.section} aria-labelledby={id}>
      <h2 className={styles.title} id={id}>
        {title}
        {count !== undefined && count > 0 && <span className={styles.count}>{count}</span>}
      </h2>
      {children}
    </section>
  )
}
