import { expect, test } from '@playwright/test'
import { docker, HOLD_50_MB, IMAGE, OTHER_IMAGE, removeContainers } from './docker.ts'
import { Homelog } from './homelog.ts'

const MINUTES = 8
const USER = 'ada'
const PASSWORD = 'correct horse battery staple'

/** Loads that look like something: bursts, waves, a steady one. */
const LOADS: Readonly<Record<string, readonly string[]>> = {
  backup: ['--cpus', '0.3', OTHER_IMAGE, 'sh', '-c', 'while :; do dd if=/dev/zero bs=1M count=800 | gzip >/dev/null; sleep 45; done'],
  dns: [IMAGE, 'sh', '-c', 'while :; do for i in $(seq 400); do :; done; usleep 50000; done'],
  media: ['--cpus', '0.4', IMAGE, 'sh', '-c', 'while :; do timeout 20 sh -c "while :; do :; done"; sleep 25; done'],
  photos: [IMAGE, ...HOLD_50_MB],
  wiki: [OTHER_IMAGE, 'httpd', '-f', '-p', '80'],
}

test('pictures of a lab', async ({ page }) => {
  const folder = process.env['HOMELOG_PICTURES'] ?? 'results/pictures'
  test.setTimeout((MINUTES + 3) * 60_000)
  const names = Object.keys(LOADS)
  await removeContainers(...names)
  const homelog = await Homelog.start()
  try {
    for (const [name, words] of Object.entries(LOADS)) await docker('run', '--detach', '--name', name, ...words)
    await page.goto(homelog.setupLink)
    await page.getByLabel('User name').fill(USER)
    await page.getByLabel('Password').fill(PASSWORD)
    await page.getByRole('button', { name: 'Create admin' }).click()
    await expect(page.getByRole('heading', { name: 'Overview' })).toBeVisible()
    for (let minute = 0; minute < MINUTES; minute += 1) {
      if (minute === MINUTES - 2) await docker('restart', '--time', '1', 'wiki')
      await page.waitForTimeout(60_000)
    }
    await page.screenshot({ path: `${folder}/overview.png`, animations: 'disabled' })
    await page.getByTestId('entity').filter({ hasText: 'media' }).getByRole('link').click()
    await page.getByRole('button', { name: '15m' }).click()
    await expect(page.locator('[data-testid=chart-value][data-field=cpu_ratio]')).toHaveText(/%$/)
    await page.emulateMedia({ colorScheme: 'dark' })
    await page.waitForTimeout(2_000)
    await page.screenshot({ path: `${folder}/container-dark.png`, animations: 'disabled' })
  } finally {
    await removeContainers(...names)
    await homelog.stop()
  }
})
