import { useEffect, useRef } from 'react'
import { isThemeChoice, useTheme } from '../context/ThemeContext'
import type { ThemeChoice } from '../context/ThemeContext'
import { usePreferences } from '../hooks/usePreferences'
import { Icon } from './Icon'
import styles from './ThemeSwitch.module.css'

const CHOICES: readonly { readonly choice: ThemeChoice; readonly label: string }[] = [
  { choice: 'light', label: 'Light' },
  { choice: 'system', label: 'As the system' },
  { choice: 'dark', label: 'Dark' },
]

/** Light, dark, or as the system; the choice follows the user to other devices. */
export function ThemeSwitch() {
  const { choice, choose } = useTheme()
  const { preferences, setPreferences } = usePreferences()
  const stored = preferences?.theme
  const isTaken = useRef(false)

  useEffect(() => {
    // Once, when the answer comes: what is chosen here afterwards is newer.
    if (isTaken.current || preferences === undefined) return
    isTaken.current = true
    if (isThemeChoice(stored)) choose(stored)
  }, [preferences, stored, choose])

  return (
    <fieldset className={styles.switch}>
      <legend className="visually-hidden">Theme</legend>
      {CHOICES.map(({ choice: one, label }) => (
        <label key={one} className={styles.option} title={label}>
          <input
            type="radio"
            name="theme"
            className="visually-hidden"
            checked={choice === one}
            onChange={() => {
              isTaken.current = true
              choose(one)
              setPreferences({ theme: one })
            }}
          />
          <Icon name={one} size={14} />
          <span className="visually-hidden">{label}</span>
        </label>
      ))}
    </fieldset>
  )
}
