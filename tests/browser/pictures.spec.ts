import { spawn } from 'node:child_process'
import { createInterface } from 'node:readline'
import { resolve } from 'node:path'
import { expect, test } from '@playwright/test'
import { freePort } from './homelog.ts'

/** How long the demo may take to pour the past in. */
const START_MS = 120_000
/** How long live values are watched before the first picture. */
const WATCHED_MS = 90_000

/** The container that the kernel kills in the night. */
const HUNGRY = 'machine-learning'

interface Demo {
  readonly url: string
  readonly password: string
  stop: () => Promise<void>
}

/** What `make run DEMO=1` starts: a simulated home with the past of two days. */
async function demo(): Promise<Demo> {
  const script = resolve(import.meta.dirname, '../../scripts/demo')
  const child = spawn(script, ['--listen', `127.0.0.1:${await freePort()}`], { stdio: ['ignore', 'pipe', 'inherit'] })
  const ended = new Promise<void>((done) => child.once('exit', () => done()))
  const stop = async () => {
    child.kill('SIGTERM')
    await ended
  }
  const told = (async () => {
    for await (const line of createInterface({ input: child.stdout })) {
      const [, url, password] = /(http:\S+) {2}user admin, password (\S+)/.exec(line) ?? []
      if (url && password) return { url, password, stop }
    }
    throw new Error('the demo has ended')
  })()
  const late = new Promise<never>((_, reject) => setTimeout(() => reject(new Error('the demo did not start')), START_MS))
  return Promise.race([told, late]).catch(async (error: unknown) => {
    await stop()
    throw error
  })
}

test('pictures of a home', async ({ page }) => {
  const folder = process.env['HOMELOG_PICTURES'] ?? 'results/pictures'
  test.setTimeout(START_MS + WATCHED_MS + 120_000)
  const { url, password, stop } = await demo()
  try {
    await page.goto(url)
    await page.getByLabel('User name').fill('admin')
    await page.getByLabel('Password').fill(password)
    await page.getByRole('button', { name: 'Log in' }).click()
    await expect(page.getByRole('heading', { name: 'Overview' })).toBeVisible()
    await page.waitForTimeout(WATCHED_MS)
    await page.screenshot({ path: `${folder}/overview.png`, animations: 'disabled' })
    await page.getByTestId('entity').filter({ hasText: HUNGRY }).getByRole('link').first().click()
    await page.getByRole('button', { name: '24h' }).click()
    await expect(page.locator('[data-testid=chart-value][data-field=cpu_ratio]')).toHaveText(/%$/)
    await page.emulateMedia({ colorScheme: 'dark' })
    await page.waitForTimeout(2_000)
    await page.screenshot({ path: `${folder}/container-dark.png`, animations: 'disabled' })
  } finally {
    await stop()
  }
})
