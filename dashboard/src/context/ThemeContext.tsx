import { createContext, useContext, useEffect, useMemo, useState, useSyncExternalStore } from 'react'
import type { ReactNode } from 'react'
import { recall, remember } from '../lib/storage'

/** `system` follows the device. */
export type ThemeChoice = 'system' | 'light' | 'dark'

interface ThemeValue {
  readonly choice: ThemeChoice
  /** What is seen now. */
  readonly theme: 'light' | 'dark'
  readonly choose: (choice: ThemeChoice) => void
}

/** Also read by public/theme.js, before the first paint. */
const STORAGE_KEY = 'homelog.theme'

const ThemeContext = createContext<ThemeValue | undefined>(undefined)

export function isThemeChoice(value: unknown): value is ThemeChoice {
  return value === 'system' || value === 'light' || value === 'dark'
}

const prefersDark = window.matchMedia('(prefers-color-scheme: dark)')

function subscribeSystem(listener: () => void): () => void {
  prefersDark.addEventListener('change', listener)
  return () => prefersDark.removeEventListener('change', listener)
}

export function ThemeProvider({ children }: { readonly children: ReactNode }) {
  const [choice, choose] = useState<ThemeChoice>(() => {
    const stored = recall(STORAGE_KEY)
    return isThemeChoice(stored) ? stored : 'system'
  })
  const isSystemDark = useSyncExternalStore(subscribeSystem, () => prefersDark.matches)
  const theme = choice === 'system' ? (isSystemDark ? 'dark' : 'light') : choice

  useEffect(() => {
    if (choice === 'system') delete document.documentElement.dataset.theme
    else document.documentElement.dataset.theme = choice
    remember(STORAGE_KEY, choice === 'system' ? undefined : choice)
  }, [choice])

  const value = useMemo(() => ({ choice, theme, choose }) as const, [choice, theme])
  return <ThemeContext value={value}>{children}</ThemeContext>
}

export function useTheme(): ThemeValue {
  const value = useContext(ThemeContext)
  if (!value) throw new Error('useTheme needs a ThemeProvider above it')
  return value
}
