import type { ReactNode } from 'react'
import styles from './CenteredPage.module.css'
import { InsecureBanner } from './InsecureBanner'
import { Logo } from './Logo'

/** A page with one thing on it: log-in, set-up, an error of the whole. */
export function CenteredPage({ children }: { readonly children?: ReactNode }) {
  return (
    <div className={styles.page}>
      <InsecureBanner />
      <main className={styles.main}>
        <div className={styles.brand}>
          <Logo size={30} />
          <span>Homelog</span>
        </div>
        {children}
      </main>
    </div>
  )
}
