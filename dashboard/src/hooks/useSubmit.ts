import { useState } from 'react'
import { ApiError, messageOf } from '../api/errors'

interface Submission {
  readonly isBusy: boolean
  readonly error: string | undefined
  readonly run: (work: () => Promise<void>) => Promise<void>
}

function explain(error: unknown): string {
  const message = messageOf(error)
  const wait = error instanceof ApiError ? error.retryAfter : undefined
  return wait === undefined || /\d/.test(message) ? message : `${message} (try again in ${wait} s)`
}

/** Runs a form's work once at a time and keeps what went wrong. */
export function useSubmit(): Submission {
  const [isBusy, setBusy] = useState(false)
  const [error, setError] = useState<string>()
  return {
    isBusy,
    error,
    run: async (work) => {
      if (isBusy) return
      setBusy(true)
      setError(undefined)
      try {
        await work()
      } catch (problem) {
        setError(explain(problem))
      } finally {
        setBusy(false)
      }
    },
  }
}
