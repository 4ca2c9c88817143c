import { Navigate, useNavigate } from '@tanstack/react-router'
import { useEffect, useState } from 'react'
import { Button } from '../components/Button'
import { CenteredPage } from '../components/CenteredPage'
import { TextField } from '../components/TextField'
import { useSession } from '../context/SessionContext'
import { useSubmit } from '../hooks/useSubmit'
import { setupToken } from '../lib/setupToken'
import styles from './form.module.css'

const MIN_PASSWORD = 10

/** Where the one-time link leads: makes the first admin. */
export function SetupPage() {
  const { session, state } = useSession()
  const navigate = useNavigate()
  const submit = useSubmit()
  const [link, setLink] = useState(() => setupToken(window.location.hash) ?? '')
  const [hasLink] = useState(link !== '')
  const [username, setUsername] = useState('admin')
  const [password, setPassword] = useState('')
  const [isSetupNeeded, setSetupNeeded] = useState(true)
  const isShort = password !== '' && password.length < MIN_PASSWORD
  const token = setupToken(link)

  useEffect(() => {
    // Out of the address with it, so that the token stays in no history and on no picture.
    if (window.location.hash !== '') void navigate({ to: '/setup', replace: true })
    session.isSetupNeeded().then(setSetupNeeded, () => {})
  }, [session, navigate])

  if (state.status === 'authenticated') return <Navigate to="/" replace />
  if (!isSetupNeeded) return <Navigate to="/login" replace />
  return (
    <CenteredPage>
      <form
        className={styles.card}
        aria-label="Set up"
        onSubmit={(event) => {
          event.preventDefault()
          if (token !== undefined && !isShort) void submit.run(() => session.setUp({ token, username, password }))
        }}
      >
        <h1 className={styles.title}>Set up Homelog</h1>
        <p className={styles.lead}>
          {hasLink
            ? 'Choose the name and the password of the first admin.'
            : 'Homelog printed a one-time link when it started. Open it, or paste it here.'}
        </p>
        {submit.error !== undefined && (
          <p className={styles.error} role="alert">
            {submit.error}
          </p>
        )}
        {!hasLink && (
          <TextField
            label="Set-up link"
            name="link"
            autoComplete="off"
            spellCheck={false}
            required
            value={link}
            onChange={(event) => setLink(event.target.value)}
            error={link !== '' && token === undefined ? 'This is no set-up link: it ends in #token=…' : undefined}
            hint="It stands in the log of the server, and again after every start until it is used"
          />
        )}
        <TextField
          label="User name"
          name="username"
          autoComplete="username"
          autoCapitalize="none"
          spellCheck={false}
          required
          value={username}
          onChange={(event) => setUsername(event.target.value)}
        />
        <TextField
          label="Password"
          name="new-password"
          type="password"
          autoComplete="new-password"
          required
          minLength={MIN_PASSWORD}
          value={password}
          onChange={(event) => setPassword(event.target.value)}
          hint={`${MIN_PASSWORD} characters or more; a few unrelated words are easy to keep in mind`}
          error={isShort ? `${MIN_PASSWORD - password.length} more to go` : undefined}
        />
        <Button type="submit" look="primary" className={styles.submit} disabled={submit.isBusy}>
          {submit.isBusy ? 'Setting up…' : 'Create admin'}
        </Button>
      </form>
    </CenteredPage>
  )
}
