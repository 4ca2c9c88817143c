import { Link } from '@tanstack/react-router'
import type { ReactNode } from 'react'
import { AccountMenu } from './AccountMenu'
import styles from './AppShell.module.css'
import { ConnectionState } from './ConnectionState'
import { InsecureBanner } from './InsecureBanner'
import { Logo } from './Logo'
import { ThemeSwitch } from './ThemeSwitch'

/** The frame of every page: brand, pages, connection, theme, account. */
export function AppShell({ children }: { readonly children: ReactNode }) {
  return (
    <>
      <a className={styles.skip} href="#content">
        Skip to content
      </a>
      <InsecureBanner />
      <header className={styles.header}>
        <div className={styles.bar}>
          <Link to="/" className={styles.brand} aria-label="Homelog, overview">
            <Logo />
            <span>Homelog</span>
          </Link>
          <nav aria-label="Pages" className={styles.pages}>
            <Link to="/sources">Sources</Link>
          </nav>
          <ConnectionState />
          <div className={styles.tools}>
            <ThemeSwitch />
            <AccountMenu />
          </div>
        </div>
      </header>
      <main id="content" className={styles.main} tabIndex={-1}>
        {children}
      </main>
    </>
  )
}
