import { defineConfig } from '@playwright/test'

const chromium = process.env['CHROMIUM']
if (!chromium) throw new Error('CHROMIUM is not set: start the browser tests with scripts/browser-test')

const asRoot = process.getuid?.() === 0

export default defineConfig({
  testDir: '.',
  // pictures are taken by `make pictures`, not by `make test`
  testIgnore: process.env['HOMELOG_PICTURES'] ? [] : ['pictures.spec.ts'],
  outputDir: 'results/failures',
  // One machine, one Docker Engine, one look at its load: tests would see each other.
  workers: 1,
  forbidOnly: Boolean(process.env['CI']),
  timeout: 240_000,
  expect: { timeout: 15_000 },
  reporter: 'list',
  use: {
    viewport: { width: 1280, height: 860 },
    screenshot: 'only-on-failure',
    trace: 'retain-on-failure',
    launchOptions: {
      executablePath: chromium,
      args: [
        '--disable-background-networking',
        // /dev/shm may be small or missing in a bare root
        '--disable-dev-shm-usage',
        // Chromium refuses its sandbox as root
        ...(asRoot ? ['--no-sandbox'] : []),
      ],
    },
  },
})
