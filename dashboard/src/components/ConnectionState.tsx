import type { LiveStatus } from '../api/messages'
import { useLiveStatus } from '../context/LiveContext'
import type { Tone } from '../lib/tone'
import styles from './ConnectionState.module.css'
import { Dot } from './Dot'

const LOOKS: Readonly<Record<LiveStatus, { tone: Tone; text: string; help: string }>> = {
  connecting: { tone: 'warn', text: 'Connecting', help: 'Opening the live connection' },
  live: { tone: 'good', text: 'Live', help: 'Values change as they are measured' },
  reconnecting: { tone: 'warn', text: 'Reconnecting', help: 'The live connection was lost; nothing will be missed' },
  offline: { tone: 'bad', text: 'Offline', help: 'Homelog cannot be reached; values are old. It is tried again' },
}

/** Whether what is seen is live. Always in sight. */
export function ConnectionState() {
  const status = useLiveStatus()
  const { tone, text, help } = LOOKS[status]
  return (
    <span className={styles.state} role="status" title={help} data-testid="connection-state" data-state={status}>
      <Dot tone={tone} pulse={status === 'connecting' || status === 'reconnecting'} />
      {text}
    </span>
  )
}
