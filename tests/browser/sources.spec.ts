import { expect, test } from '@playwright/test'
import type { Page } from '@playwright/test'
import type { PushEvent } from '../../dashboard/src/api/generated/PushEvent.ts'
import { Api, Homelog } from './homelog.ts'

const USER = 'ada'
const PASSWORD = 'correct horse battery staple'
const REASON = 'https://nas1:5001 refused the password of `homelog`: set it anew in `password_file` of source `nas1`'
const FINDING = 'http://wiki.home.arpa/health: it answers 503 Service Unavailable, expected is 200-299'
const FIX = 'set the right password'

let homelog: Homelog

test.beforeAll(async () => {
  homelog = await Homelog.start()
})

test.afterAll(async () => {
  await homelog?.stop()
})

/** A NAS whose password is refused, a Pi-hole, and a home in which each thing measures something else. */
function home(): PushEvent[] {
  const nas = { source: 'nas1', kind: 'synology' }
  const ha = { source: 'ha', kind: 'home_assistant' }
  const thing = (id: string, fields: PushEvent['fields']): PushEvent => ({
    ...ha, entity: { type: 'home_assistant_entity', id, labels: { name: id } }, fields,
  })
  return [
    {
      ...nas, type: 'source', entity: { type: 'source', id: 'nas1' },
      fields: { up: false, state: 'down', class: 'bad_credentials', reason: REASON, fix: FIX, interval_seconds: 900, poll_seconds: 0.5 },
    },
    {
      source: 'web', kind: 'http_check', type: 'source', entity: { type: 'source', id: 'web' },
      fields: { up: true, state: 'up', class: '', reason: '', finding: FINDING, interval_seconds: 60, poll_seconds: 0.0004 },
    },
    { source: 'dns', kind: 'pihole', entity: { type: 'pihole', id: 'dns' }, fields: { blocked_ratio: 0.182, queries_count: 54_321 } },
    { ...nas, entity: { type: 'volume', id: 'v1', labels: { name: 'Volume 1' } }, fields: { status: 'degrade', used_ratio: 0.75 } },
    thing('Attic', { temperature_celsius: 17.4 }), thing('Bath', { humidity_ratio: 0.5 }), thing('House', { power_watts: 420 }),
    thing('Phone', { battery_ratio: 0.9 }), thing('Lamp', { brightness_ratio: 1 }), thing('Tap', { availability: 'unavailable' }),
  ]
}

async function pictures(page: Page, name: string): Promise<void> {
  for (const [size, width, height] of [['desktop', 1280, 860], ['phone', 390, 844]] as const) {
    await page.setViewportSize({ width, height })
    const wide = await page.evaluate(() => document.documentElement.scrollWidth)
    expect(wide, `${name} is as wide as the ${size}`).toBeLessThanOrEqual(width)
    await page.screenshot({ path: `results/pictures/${name}-${size}.png`, fullPage: true, animations: 'disabled' })
  }
}

test('a source that is down tells what went wrong and what to do, and what was seen of it stays in sight', async ({ page }) => {
  await page.goto(homelog.setupLink)
  await page.getByLabel('User name').fill(USER)
  await page.getByLabel('Password').fill(PASSWORD)
  await page.getByRole('button', { name: 'Create admin' }).click()
  await expect(page.getByRole('heading', { name: 'Overview' })).toBeVisible()
  const api = await Api.login(homelog.url, USER, PASSWORD)
  await api.push(home())

  await page.getByRole('link', { name: 'Sources' }).click()
  const nas = page.locator('[data-testid=source-row][data-source=nas1]')
  await expect(nas).toHaveAttribute('data-state', 'down')
  await expect(nas.getByTestId('failure-class')).toHaveText('Credentials refused')
  await expect(nas.getByTestId('failure-reason')).toHaveText(REASON)
  await expect(nas.getByTestId('failure-fix')).toHaveText(`What to do: ${FIX}.`)
  const web = page.locator('[data-testid=source-row][data-source=web]')
  await expect(web, 'it works').toHaveAttribute('data-state', 'up')
  await expect(web.getByTestId('finding')).toHaveText(FINDING)
  await expect(page.getByTestId('source-row').nth(1), 'and needs a look').toHaveAttribute('data-source', 'web')
  await expect(page.locator('[data-testid=source-row][data-state=up]').last(), 'this machine goes on').toBeVisible()
  await expect(page.getByTestId('source-row').first(), 'what needs a person stands first').toHaveAttribute('data-source', 'nas1')
  await pictures(page, 'sources')

  await page.getByRole('link', { name: 'Homelog, overview' }).click()
  await expect(page.getByTestId('source-tally')).toContainText(/^2 failing, \d+ up/)
  await expect(page.getByTestId('source').first(), 'what needs a person stands first').toHaveAttribute('data-source', 'nas1')
  const entity = (key: string) => page.locator(`[data-testid=entity][data-entity="${key}"]`)
  await expect(entity('dns/pihole/dns').locator('[data-field=blocked_ratio]')).toHaveText('18.2\u202F%')
  await expect(entity('nas1/volume/v1').getByTestId('entity-state')).toHaveText('degrade')
  await expect(entity('ha/home_assistant_entity/Attic').getByTestId('value')).toHaveText(/^17\.4/)
  await expect(entity('ha/home_assistant_entity/Tap').getByTestId('entity-state')).toHaveText('unavailable')
  await pictures(page, 'overview-of-many-kinds')

  // what comes next is seen without a reload
  await api.push([{ source: 'ha', kind: 'home_assistant', entity: { type: 'home_assistant_entity', id: 'Attic' }, fields: { temperature_celsius: 18.1 } }])
  await expect(entity('ha/home_assistant_entity/Attic').getByTestId('value')).toHaveText(/^18\.1/)
})
