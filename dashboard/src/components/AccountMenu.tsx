import { useEffect, useRef } from 'react'
import { useSession } from '../context/SessionContext'
import { useSubmit } from '../hooks/useSubmit'
import styles from './AccountMenu.module.css'
import { Icon } from './Icon'

/** Who is logged in, and the way out. */
export function AccountMenu() {
  const { session, state } = useSession()
  const logout = useSubmit()
  const details = useRef<HTMLDetailsElement>(null)

  useEffect(() => {
    const close = (event: Event) => {
      const element = details.current
      if (!element?.open) return
      const isEscape = event instanceof KeyboardEvent && event.key === 'Escape'
      const isOutside = event instanceof PointerEvent && !element.contains(event.target as Node)
      if (!isEscape && !isOutside) return
      element.open = false
      if (isEscape) element.querySelector('summary')?.focus()
    }
    document.addEventListener('pointerdown', close)
    document.addEventListener('keydown', close)
    return () => {
      document.removeEventListener('pointerdown', close)
      document.removeEventListener('keydown', close)
    }
  }, [])

  if (state.status !== 'authenticated') return null
  return (
    <details ref={details} className={styles.account}>
      <summary aria-label={`Account of ${state.username}`}>
        <Icon name="user" />
        <span className={styles.name}>{state.username}</span>
        <Icon name="chevron" size={12} />
      </summary>
      <div className={styles.menu}>
        <p className={styles.who}>
          <strong>{state.username}</strong>
          <span>{state.role}</span>
        </p>
        <button
          type="button"
          className={styles.item}
          disabled={logout.isBusy}
          onClick={() => void logout.run(() => session.logout())}
        >
          <Icon name="logout" /> Log out
        </button>
        {logout.error !== undefined && (
          <p className={styles.error} role="alert">
            {logout.error}
          </p>
        )}
      </div>
    </details>
  )
}
