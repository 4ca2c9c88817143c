import type { ReactNode } from 'react'
import { ApiError, messageOf } from '../api/errors'
import { Button } from './Button'
import { Icon } from './Icon'
import type { IconName } from './Icon'
import styles from './Notice.module.css'

interface NoticeProps {
  readonly icon: IconName
  readonly title: string
  readonly children?: ReactNode
  readonly tone?: 'plain' | 'bad'
  readonly role?: 'alert' | 'status'
}

/** Fills the place of something that is not there, and says why and what to do. */
export function Notice({ icon, title, children, tone = 'plain', role }: NoticeProps) {
  return (
    <div className={`${styles.notice} ${tone === 'bad' ? styles.bad : ''}`} role={role}>
      <span className={styles.icon}>
        <Icon name={icon} size={20} />
      </span>
      <p className={styles.title}>{title}</p>
      {children !== undefined && <div className={styles.body}>{children}</div>}
    </div>
  )
}

/** A failed request: the server's words, what finds it in the log, and another try. */
export function ErrorNotice({ title, error, retry }: { title: string; error: unknown; retry?: () => void }) {
  const requestId = error instanceof ApiError ? error.requestId : undefined
  return (
    <Notice icon="alert" title={title} tone="bad" role="alert">
      <p>{messageOf(error)}</p>
      {requestId !== undefined && (
        <p className={styles.request}>
          Request <code>{requestId}</code>
        </p>
      )}
      {retry && (
        <Button onClick={retry}>
          <Icon name="retry" /> Try again
        </Button>
      )}
    </Notice>
  )
}
