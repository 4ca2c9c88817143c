import type { ApiEvent } from './generated/ApiEvent'
import type { RealtimeFilter } from './generated/RealtimeFilter'
import type { ServerMessage } from './generated/ServerMessage'

export type LiveFilter = Readonly<RealtimeFilter>

/** `live`: events come as they happen. `offline`: it has been tried for a while, or there is no network. */
export type LiveStatus = 'connecting' | 'live' | 'reconnecting' | 'offline'

/** Name of a message that carries an event: `container-update`. */
export type UpdateName = `${string}-update`

export interface UpdateMessage {
  readonly kind: 'update'
  readonly event: UpdateName
  readonly id: string | undefined
  readonly data: ApiEvent
  /** After this event. */
  readonly position: string
}

/** Events were trimmed from the log before they could be sent. */
export interface GapMessage {
  readonly kind: 'gap'
  readonly id: string | undefined
  readonly oldest: string | undefined
  readonly newest: string | undefined
}

export interface SubscribedMessage {
  readonly kind: 'subscribed'
  readonly id: string | undefined
  readonly position: string | undefined
}

export interface ErrorMessage {
  readonly kind: 'error'
  readonly id: string | undefined
  readonly code: string
  readonly message: string
}

export type Message = UpdateMessage | GapMessage | SubscribedMessage | ErrorMessage

/** What can be listened to: updates by their names, and what befalls the connection. */
export interface RealtimeEvents {
  [update: UpdateName]: UpdateMessage
  gap: GapMessage
  error: ErrorMessage
  status: LiveStatus
}

function isServerMessage(value: unknown): value is ServerMessage {
  return typeof value === 'object' && value !== null && 'event' in value && typeof value.event === 'string'
}

function isUpdate(name: string): name is UpdateName {
  return name.endsWith('-update')
}

function parse(raw: unknown): ServerMessage | undefined {
  if (typeof raw !== 'string') return undefined
  try {
    const message: unknown = JSON.parse(raw)
    return isServerMessage(message) ? message : undefined
  } catch {
    return undefined
  }
}

/** Reads one message of the server; what this build does not know is left out. */
export function readMessage(raw: unknown): Message | undefined {
  const message = parse(raw)
  if (!message) return undefined
  const { event, id, position, data, oldest, newest } = message
  if (isUpdate(event)) {
    return position === undefined || data === undefined ? undefined : { kind: 'update', event, id, position, data }
  }
  if (event === 'subscribed') return { kind: 'subscribed', id, position }
  if (event === 'gap') return { kind: 'gap', id, oldest, newest }
  if (event === 'error') return { kind: 'error', id, code: message.code ?? 'unknown', message: message.message ?? '' }
  return undefined
}
