import type { ApiEvent } from '../api/generated/ApiEvent'

/** The state that an event of a source tells. */
function stateOf(event: ApiEvent): string {
  return String(event.fields.state ?? event.fields.up ?? '')
}

/**
 * What matters to one entity of the events of its source: its own changes, and where the source's state moved. Sources
 * also tell now and then that nothing moved; the first of a range is news only when it is bad.
 */
export function changesOf(entity: string, events: readonly ApiEvent[]): ApiEvent[] {
  let before = 'up'
  return events.filter((event) => {
    if (event.type !== 'source') return event.type === 'change' && event.entity.key === entity
    const state = stateOf(event)
    const isMoved = state !== before
    before = state
    return isMoved
  })
}
