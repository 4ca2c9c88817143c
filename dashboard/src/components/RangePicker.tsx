import { useRef, useState } from 'react'
import { DEFAULT_SPAN, fixedSearch, MIN_RANGE_MS, SPANS, timeRange } from '../lib/range'
import type { RangeSearch } from '../lib/range'
import { formatInstant, fromLocalInput, toLocalInput } from '../lib/time'
import { Button } from './Button'
import { Icon } from './Icon'
import styles from './RangePicker.module.css'

interface Props {
  readonly search: RangeSearch
  readonly now: number
  readonly onChange: (search: RangeSearch) => void
}

/** Chooses what part of time is seen: the last minutes to days, or two ends. */
export function RangePicker({ search, now, onChange }: Props) {
  const range = timeRange(search)
  const dialog = useRef<HTMLDialogElement>(null)
  const isFixed = range.kind === 'fixed'
  return (
    <div className={styles.picker}>
      <div className={styles.spans} role="group" aria-label="Time range">
        {SPANS.map((span) => (
          <button
            key={span}
            type="button"
            aria-pressed={!isFixed && range.span === span}
            onClick={() => onChange(span === DEFAULT_SPAN ? {} : { range: span })}
          >
            {span}
          </button>
        ))}
        <button
          type="button"
          aria-pressed={isFixed}
          aria-haspopup="dialog"
          className={styles.custom}
          onClick={() => dialog.current?.showModal()}
        >
          <Icon name="calendar" size={14} />
          <span>{isFixed ? `${formatInstant(range.from, now)} – ${formatInstant(range.to, now)}` : 'Custom'}</span>
        </button>
      </div>
      <dialog ref={dialog} className={styles.dialog} aria-label="Custom time range">
        <CustomRange
          // Filled anew each time that what is seen changes.
          key={isFixed ? `${range.from} ${range.to}` : range.span}
          from={isFixed ? range.from : now - 3_600_000}
          to={isFixed ? range.to : now}
          onClose={() => dialog.current?.close()}
          onApply={(from, to) => {
            dialog.current?.close()
            onChange(fixedSearch(from, to))
          }}
        />
      </dialog>
    </div>
  )
}

interface CustomProps {
  readonly from: number
  readonly to: number
  readonly onApply: (from: number, to: number) => void
  readonly onClose: () => void
}

function CustomRange({ from, to, onApply, onClose }: CustomProps) {
  const [start, setStart] = useState(() => toLocalInput(from))
  const [end, setEnd] = useState(() => toLocalInput(to))
  const startAt = fromLocalInput(start)
  const endAt = fromLocalInput(end)
  const isValid = startAt !== undefined && endAt !== undefined && endAt - startAt >= MIN_RANGE_MS
  return (
    <form
      className={styles.form}
      onSubmit={(event) => {
        event.preventDefault()
        if (isValid) onApply(startAt, endAt)
      }}
    >
      <h2>Custom range</h2>
      <label>
        From
        <input type="datetime-local" step={1} required value={start} onChange={(event) => setStart(event.target.value)} />
      </label>
      <label>
        To
        <input type="datetime-local" step={1} required value={end} onChange={(event) => setEnd(event.target.value)} />
      </label>
      {!isValid && <p className={styles.error}>The end must be after the begin.</p>}
      <div className={styles.actions}>
        <Button look="quiet" onClick={onClose}>
          Cancel
        </Button>
        <Button type="submit" look="primary" disabled={!isValid}>
          Show
        </Button>
      </div>
    </form>
  )
}
