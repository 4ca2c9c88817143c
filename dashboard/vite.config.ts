import react from '@vitejs/plugin-react'
import { defineConfig } from 'vitest/config'

// The Host stays that of the page: the server refuses requests whose Origin is another.
const api = { target: 'http://127.0.0.1:3001', changeOrigin: false }

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
  },
})
