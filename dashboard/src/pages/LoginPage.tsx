import { getRouteApi, Navigate, useRouter } from '@tanstack/react-router'
import { useEffect, useState } from 'react'
import { Button } from '../components/Button'
import { CenteredPage } from '../components/CenteredPage'
import { TextField } from '../components/TextField'
import { useSession } from '../context/SessionContext'
import { useSubmit } from '../hooks/useSubmit'
import styles from './form.module.css'

const route = getRouteApi('/login')

export function LoginPage() {
  const { session, state } = useSession()
  const { next = '/' } = route.useSearch()
  const router = useRouter()
  const submit = useSubmit()
  const [username, setUsername] = useState('')
  const [password, setPassword] = useState('')
  const [isSetupNeeded, setSetupNeeded] = useState(false)

  useEffect(() => {
    let isGone = false
    const ask = async () => {
      // When the server cannot be asked, the log-in itself tells why.
      const isNeeded = await session.isSetupNeeded().catch(() => false)
      if (!isGone) setSetupNeeded(isNeeded)
    }
    void ask()
    return () => {
      isGone = true
    }
  }, [session])

  useEffect(() => {
    if (state.status === 'authenticated') router.history.replace(next)
  }, [state.status, next, router])

  if (isSetupNeeded) return <Navigate to="/setup" replace />
  if (state.status === 'unknown' || state.status === 'authenticated') return <CenteredPage />
  return (
    <CenteredPage>
      <form
        className={styles.card}
        aria-label="Log in"
        onSubmit={(event) => {
          event.preventDefault()
          void submit.run(() => session.login(username, password))
        }}
      >
        <h1 className={styles.title}>Log in</h1>
        {submit.error !== undefined && (
          <p className={styles.error} role="alert">
            {submit.error}
          </p>
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
          name="password"
          type="password"
          autoComplete="current-password"
          required
          value={password}
          onChange={(event) => setPassword(event.target.value)}
        />
        <Button type="submit" look="primary" className={styles.submit} disabled={submit.isBusy}>
          {submit.isBusy ? 'Logging in…' : 'Log in'}
        </Button>
      </form>
    </CenteredPage>
  )
}
