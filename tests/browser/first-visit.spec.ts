import { expect, test } from '@playwright/test'
import type { Locator, Page } from '@playwright/test'
import { docker, dockerStats, HALF_A_CORE, HOLD_50_MB, IMAGE, OTHER_IMAGE, removeContainers, SPIN } from './docker.ts'
import { Api, Homelog } from './homelog.ts'

const USER = 'ada'
const PASSWORD = 'correct horse battery staple'
const BUSY = 'homelog-test-half-a-core'
const HOLDER = 'homelog-test-fifty-megabytes'

/** A container is to be seen this soon after it was started. */
const APPEARS_WITHIN_MS = 10_000
const COMPARE_SECONDS = 60
const TOLERANCE = 0.05

// One story: each part begins where the one before it ended.
test.describe.configure({ mode: 'serial' })

let homelog: Homelog
let api: Api

test.beforeAll(async () => {
  await removeContainers(BUSY, HOLDER)
  homelog = await Homelog.start()
})

test.afterAll(async () => {
  await removeContainers(BUSY, HOLDER)
  await homelog?.stop()
})

async function logIn(page: Page): Promise<void> {
  await page.goto(homelog.url)
  await page.getByLabel('User name').fill(USER)
  await page.getByLabel('Password').fill(PASSWORD)
  await page.getByRole('button', { name: 'Log in' }).click()
  await expect(page.getByRole('heading', { name: 'Overview' })).toBeVisible()
}

const live = (page: Page) => expect(page.getByTestId('connection-state')).toHaveAttribute('data-state', 'live')
const entity = (page: Page, key: string) => page.locator(`[data-testid=entity][data-entity="${key}"]`)
const valueOf = (within: Locator, field: string) => within.locator(`[data-testid=value][data-field="${field}"]`)

/** A picture for people, in tests/browser/results/pictures. */
async function picture(page: Page, name: string): Promise<void> {
  await page.screenshot({ path: `results/pictures/${name}.png`, fullPage: true, animations: 'disabled' })
}

async function containerKey(name: string): Promise<string> {
  const { entities } = await api.entities('container')
  const found = entities.filter(({ id, labels }) => id === name || labels['name'] === name)
  expect(found, `containers named ${name}`).toHaveLength(1)
  return found[0]?.key ?? ''
}

test('the one-time link makes the first admin, who can log out and in again', async ({ page }) => {
  await page.goto(homelog.setupLink)
  await expect(page.getByRole('heading', { name: 'Set up Homelog' })).toBeVisible()
  await expect(page, 'the token leaves the address').not.toHaveURL(/token=/)
  await picture(page, 'set-up')
  await page.getByLabel('User name').fill(USER)
  await page.getByLabel('Password').fill(PASSWORD)
  await page.getByRole('button', { name: 'Create admin' }).click()
  await expect(page.getByRole('heading', { name: 'Overview' })).toBeVisible()

  await page.getByLabel(`Account of ${USER}`).click()
  await page.getByRole('button', { name: 'Log out' }).click()
  await expect(page.getByRole('heading', { name: 'Log in' })).toBeVisible()
  await picture(page, 'log-in')

  await page.getByLabel('User name').fill(USER)
  await page.getByLabel('Password').fill('wrong horse')
  await page.getByRole('button', { name: 'Log in' }).click()
  await expect(page.getByRole('alert')).toBeVisible()
  await page.getByLabel('Password').fill(PASSWORD)
  await page.getByRole('button', { name: 'Log in' }).click()
  await expect(page.getByRole('heading', { name: 'Overview' })).toBeVisible()

  await page.reload()
  await expect(page.getByRole('heading', { name: 'Overview' }), 'the session outlives a reload').toBeVisible()

  await page.goto(homelog.setupLink)
  await expect(page.getByRole('button', { name: 'Create admin' }), 'the link is good once').toBeHidden()
  api = await Api.login(homelog.url, USER, PASSWORD)
})

test('this machine is seen, with history behind it and values that move while one looks', async ({ page }) => {
  await logIn(page)
  await live(page)
  const { entities } = await api.entities('host')
  const host = entities[0]
  if (!host) throw new Error('the host is not among the entities')
  const card = entity(page, host.key)
  await expect(valueOf(card, 'cpu_ratio')).toHaveText(/^\d+(\.\d+)?\s?%$/)
  await picture(page, 'overview')

  // enough history that a chart has a line before the page is opened
  await expect
    .poll(async () => (await api.range(host.key, 'cpu_ratio', Date.now() - 600_000, Date.now())).series[0]?.times.length ?? 0, {
      timeout: 40_000,
    })
    .toBeGreaterThanOrEqual(4)
  await card.click()
  const opened = Date.now()
  await expect(page.getByRole('heading', { level: 1 })).toBeVisible()
  await live(page)
  const cpu = page.locator('[data-testid=chart-value][data-field=cpu_ratio]')
  await expect(cpu).toHaveText(/%$/)

  // the arrow keys read values back from the chart: three steps to the left is before the page was opened
  const chart = page.getByTestId('chart').filter({ has: cpu })
  await chart.getByRole('application').focus()
  for (let step = 0; step < 4; step += 1) await page.keyboard.press('ArrowLeft')
  await expect(chart.getByRole('tooltip')).toBeVisible()
  await expect(cpu).toHaveText(/%$/)
  await page.keyboard.press('Escape')
  const { series } = await api.range(host.key, 'cpu_ratio', opened - 600_000, opened)
  expect(series[0]?.values.filter((value) => typeof value === 'number').length).toBeGreaterThanOrEqual(4)

  // the newest value is drawn without a reload
  const shown = page.locator('[data-testid=chart-value], [data-testid=value]')
  const before = await shown.allTextContents()
  await expect.poll(async () => JSON.stringify(await shown.allTextContents()), { timeout: 20_000 }).not.toBe(JSON.stringify(before))
  await picture(page, 'host')
})

test('a container appears within 10 s and agrees with docker stats over a minute', async ({ page }) => {
  await logIn(page)
  await live(page)
  await docker('run', '--detach', '--name', BUSY, ...HALF_A_CORE, IMAGE, ...SPIN)
  const started = Date.parse(await docker('inspect', '--format', '{{.State.StartedAt}}', BUSY))
  const busyRow = page.getByTestId('entity').filter({ hasText: BUSY })
  const shown = async () => {
    const texts = await busyRow.locator('[data-field=cpu_ratio], [data-field=memory_used_bytes]').allTextContents()
    return texts.filter((text) => /\d/.test(text)).length
  }
  // the patience of `toHaveText` grows to a second between two looks
  await expect.poll(shown, { intervals: [100], timeout: 2 * APPEARS_WITHIN_MS }).toBe(2)
  expect(Date.now() - started, 'milliseconds until it was there with CPU and memory').toBeLessThanOrEqual(APPEARS_WITHIN_MS)
  await docker('run', '--detach', '--name', HOLDER, IMAGE, ...HOLD_50_MB)
  await expect(page.getByTestId('entity').filter({ hasText: HOLDER })).toBeVisible({ timeout: APPEARS_WITHIN_MS })

  const busy = await containerKey(BUSY)
  const holder = await containerKey(HOLDER)
  const from = Date.now()
  const said = await dockerStats([BUSY, HOLDER], COMPARE_SECONDS)
  const to = Date.now()
  // the last poll of that minute may still be on its way
  await expect
    .poll(async () => (await api.range(busy, 'cpu_ratio', to, to + 60_000)).series[0]?.times.length ?? 0, { timeout: 30_000 })
    .toBeGreaterThan(0)
  const meanOf = async (key: string, field: string) => {
    const { series } = await api.range(key, field, from, to)
    const values = series[0]?.values.filter((value) => typeof value === 'number') ?? []
    expect(values.length, `readings of ${field} in a minute`).toBeGreaterThanOrEqual(4)
    return values.reduce((sum, value) => sum + value, 0) / values.length
  }
  const near = (ours: number, theirs: number, what: string) =>
    expect(Math.abs(ours - theirs) / theirs, `${what}: homelog ${ours}, docker stats ${theirs}`).toBeLessThanOrEqual(TOLERANCE)

  const cpu = await meanOf(busy, 'cpu_ratio')
  const memory = await meanOf(holder, 'memory_used_bytes')
  near(cpu, said.get(BUSY)?.cpuRatio ?? 0, 'CPU of the busy container')
  near(memory, said.get(HOLDER)?.memoryBytes ?? 0, 'memory of the holder')
  // and both are what the containers were told to use; on a busy machine it may be less than half a core
  expect(cpu).toBeGreaterThan(0.2)
  expect(cpu).toBeLessThan(0.55)
  expect(memory).toBeGreaterThan(50 * 1024 ** 2)
  expect(memory).toBeLessThan(55 * 1024 ** 2)
  await picture(page, 'containers')
  await page.setViewportSize({ width: 390, height: 844 })
  await picture(page, 'containers-on-a-phone')
})

test('a killed container shows its exit code', async ({ page }) => {
  await logIn(page)
  const key = await containerKey(BUSY)
  await entity(page, key).getByRole('link').click()
  await live(page)
  await docker('kill', BUSY)
  const died = page.getByTestId('change').filter({ has: page.locator('[data-field=exit_code]', { hasText: '137' }) })
  await expect(died.first()).toBeVisible({ timeout: 10_000 })
  await picture(page, 'killed')

  const { events } = await api.events(key, 'change')
  expect(events.some(({ fields }) => fields['exit_code'] === 137)).toBe(true)
})

test('a container recreated with another image keeps its key and its history', async ({ page }) => {
  await logIn(page)
  const key = await containerKey(BUSY)
  const before = await api.range(key, 'cpu_ratio', Date.now() - 3_600_000, Date.now())
  const recreated = Date.now()
  await docker('rm', BUSY)
  await docker('run', '--detach', '--name', BUSY, ...HALF_A_CORE, OTHER_IMAGE, ...SPIN)

  await expect
    .poll(async () => (await api.range(key, 'cpu_ratio', recreated, Date.now())).series[0]?.times.length ?? 0, { timeout: 30_000 })
    .toBeGreaterThanOrEqual(2)
  expect(await containerKey(BUSY), 'the same key').toBe(key)
  const after = await api.range(key, 'cpu_ratio', Date.now() - 3_600_000, Date.now())
  expect(after.series, 'one series, not one for each image').toHaveLength(1)
  expect(after.series[0]?.times.slice(0, 3), 'what was measured before is still there').toEqual(before.series[0]?.times.slice(0, 3))
  expect(after.series[0]?.labels['image']).toBe(OTHER_IMAGE)

  await page.goto(`${homelog.url}/entity/${encodeURIComponent(key)}`)
  await expect(page.locator('[data-testid=chart-value][data-field=cpu_ratio]')).toHaveText(/%$/)
  await expect(page.getByText(OTHER_IMAGE).first()).toBeVisible()
  await expect(page.getByTestId('change').filter({ hasText: 'recreated' }).first()).toBeVisible()
  await picture(page, 'recreated')
  await page.emulateMedia({ colorScheme: 'dark' })
  await page.reload()
  await expect(page.locator('[data-testid=chart-value][data-field=cpu_ratio]')).toHaveText(/%$/)
  await picture(page, 'recreated-dark')
})
