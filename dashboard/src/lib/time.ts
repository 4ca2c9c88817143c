// Times for people. The server and all data speak UTC milliseconds; the reader sees their own zone and a 24 h clock.

const clock = new Intl.DateTimeFormat('en-GB', { hour: '2-digit', minute: '2-digit', hourCycle: 'h23' })
const clockWithSeconds = new Intl.DateTimeFormat('en-GB', {
  hour: '2-digit',
  minute: '2-digit',
  second: '2-digit',
  hourCycle: 'h23',
})
const day = new Intl.DateTimeFormat('en-GB', { day: 'numeric', month: 'short' })
const dayWithYear = new Intl.DateTimeFormat('en-GB', { day: 'numeric', month: 'short', year: 'numeric' })

function isSameDay(a: Date, b: Date): boolean {
  return a.toDateString() === b.toDateString()
}

/** `14:03:27` today, `21 Nov, 14:03:27` on another day, with the year when it is not this one. */
export function formatInstant(milliseconds: number, now = Date.now()): string {
  const at = new Date(milliseconds)
  const today = new Date(now)
  const time = clockWithSeconds.format(at)
  if (isSameDay(at, today)) return time
  const date = at.getFullYear() === today.getFullYear() ? day.format(at) : dayWithYear.format(at)
  return `${date}, ${time}`
}

/** Label of one tick of a time axis whose ticks are `step` seconds apart; `first` ticks of a day tell the day. */
export function formatTimeTick(seconds: number, step: number): string {
  const at = new Date(seconds * 1000)
  const isMidnight = at.getHours() === 0 && at.getMinutes() === 0 && at.getSeconds() === 0
  if (step >= 86_400 || isMidnight) return day.format(at)
  return step < 60 ? clockWithSeconds.format(at) : clock.format(at)
}

function two(value: number): string {
  return String(value).padStart(2, '0')
}

/** The value of an `<input type="datetime-local">`, in the reader's zone. */
export function toLocalInput(milliseconds: number): string {
  const at = new Date(milliseconds)
  const date = `${at.getFullYear()}-${two(at.getMonth() + 1)}-${two(at.getDate())}`
  return `${date}T${two(at.getHours())}:${two(at.getMinutes())}:${two(at.getSeconds())}`
}

/** The instant that a `<input type="datetime-local">` names, or nothing. */
export function fromLocalInput(text: string): number | undefined {
  const milliseconds = new Date(text).getTime()
  return Number.isNaN(milliseconds) ? undefined : milliseconds
}
