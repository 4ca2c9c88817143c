import { capitalise } from './words'

interface Failure {
  /** What it is, in words. */
  readonly title: string
  /** What Homelog does about it, where that is not plainly to ask again at the next poll. */
  readonly policy?: string
}

/** Every class of failures that a collector tells. */
const FAILURES: Readonly<Record<string, Failure>> = {
  unreachable: { title: 'No connection' },
  timeout: { title: 'No answer in time' },
  tls: { title: 'Certificate not accepted' },
  bad_credentials: {
    title: 'Credentials refused',
    policy: 'It is asked again only rarely, so that the service does not lock the account.',
  },
  no_permission: { title: 'Permission missing' },
  rate_limited: { title: 'Asked too often', policy: 'It is asked again when the service allows it.' },
  bad_answer: { title: 'Answer not understood' },
  other: { title: 'Failed' },
}

/** A class of failures for people; one that is not known here in its own words. */
export function failureOf(name: string): Failure {
  return FAILURES[name] ?? { title: capitalise(name.replaceAll('_', ' ')) }
}
