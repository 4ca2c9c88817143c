import { useEffect, useRef } from 'react'
import type { RefObject } from 'react'

/** The value of the newest render, for callbacks that outlive a render. */
export function useLatest<T>(value: T): RefObject<T> {
  const ref = useRef(value)
  useEffect(() => {
    ref.current = value
  })
  return ref
}
