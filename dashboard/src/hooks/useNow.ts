import { useEffect, useState } from 'react'
import { clock } from '../lib/clock'

/** The server's now, which moves on every `interval` milliseconds while the page can be seen; 0 for never. */
export function useNow(interval: number): number {
  const [now, setNow] = useState(() => clock.now())
  useEffect(() => {
    if (interval === 0) return undefined
    const tick = () => {
      if (document.visibilityState === 'visible') setNow(clock.now())
    }
    const timer = setInterval(tick, interval)
    document.addEventListener('visibilitychange', tick)
    return () => {
      clearInterval(timer)
      document.removeEventListener('visibilitychange', tick)
    }
  }, [interval])
  return now
}
