import type { ApiEvent } from '../../api/generated/ApiEvent'
import type { Catalog } from '../../lib/catalog'
import { formatAgo } from '../../lib/format'
import { formatValue } from '../../lib/reading'
import { entriesOf } from '../../lib/record'
import { formatInstant } from '../../lib/time'
import { toneOf } from '../../lib/tone'
import { fieldTitle } from '../../lib/words'
import { Dot } from '../Dot'
import styles from './ChangeList.module.css'

interface Props {
  readonly events: readonly ApiEvent[]
  readonly catalog: Catalog
  readonly now: number
}

/** Events that are drawn at most. */
const SHOWN = 200

/** Of a source, what moved; its counts and costs have charts of their own. */
function isTold(event: ApiEvent, field: string): boolean {
  return event.type !== 'source' || field === 'state' || field === 'reason'
}

/** What happened, newest first: every change with all that it said. */
export function ChangeList({ events, catalog, now }: Props) {
  return (
    <ol className={styles.list}>
      {events.slice(0, SHOWN).map((event) => {
        const time = Date.parse(event.time)
        const fields = entriesOf(event.fields).filter(([field, value]) => value !== '' && isTold(event, field))
        const tone = fields.map(([, value]) => toneOf(value)).find((one) => one !== 'idle') ?? 'idle'
        return (
          <li key={event.id} className={styles.event} data-testid="change">
            <Dot tone={tone} />
            <time className={styles.time} dateTime={event.time} title={formatAgo(now - time)}>
              {formatInstant(time, now)}
            </time>
            <dl className={styles.fields}>
              {event.type === 'source' && (
                <div>
                  <dt>Source</dt>
                  <dd>{event.source}</dd>
                </div>
              )}
              {fields.map(([field, value]) => (
                <div key={field} data-field={field}>
                  <dt>{fieldTitle(field)}</dt>
                  <dd>{formatValue(catalog.metric(event.entity.type, field, value), value)}</dd>
                </div>
              ))}
            </dl>
          </li>
        )
      })}
      {events.length > SHOWN && (
        <li className={styles.more}>and {events.length - SHOWN} earlier: choose a shorter range to see them</li>
      )}
    </ol>
  )
}
