import react from '@vitejs/plugin-react'
import { loadEnv } from 'vite'
import { defineConfig } from 'vitest/config'

// Where Homelog is for whom the dev server serves.
const target = loadEnv('', '.', 'HOMELOG_').HOMELOG_API ?? 'http://127.0.0.1:3001'
// The Host stays that of the page: the server refuses requests whose Origin is another.
const api = { target, changeOrigin: false }

export default defineConfig({
  plugins: [react()],
  build: {
    target: 'es2023',
    // The server's content security policy allows files of its own origin only: nothing may be inlined.
    assetsInlineLimit: 0,
    modulePreload: { polyfill: false },
    reportCompressedSize: true,
  },
  server: {
    proxy: {
      '/api': api,
      '/auth': api,
      '/health': api,
      '/realtime': { ...api, ws: true },
    },
  },
  test: {
    environment: 'happy-dom',
    include: ['src/**/*.test.{ts,tsx}'],
    restoreMocks: true,
    // else it is empty, while a test reads it
    css: { include: [/tokens\.css/] },
  },
})
