import { expect, it } from 'vitest'
import { isLoopback } from './origin'
import { setupToken } from './setupToken'

it.each([
  ['http://192.168.1.5:3001/setup#token=abc-123_x', 'abc-123_x'],
  ['#token=abc', 'abc'],
  ['  abc-123  ', 'abc-123'],
  ['', undefined],
  ['http://192.168.1.5:3001/setup', undefined],
  ['two words', undefined],
  ['#token=%', undefined],
])('reads %s', (text, token) => {
  expect(setupToken(text)).toBe(token)
})

it.each([
  ['localhost', true],
  ['127.0.0.1', true],
  ['[::1]', true],
  ['homelog.localhost', true],
  ['192.168.1.5', false],
  ['127.0.0.1.example.org', false],
  ['atlas.lan', false],
])('knows whether %s is this machine', (hostname, expected) => {
  expect(isLoopback(hostname)).toBe(expected)
})
