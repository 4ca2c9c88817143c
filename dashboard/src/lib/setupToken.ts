/** The token of a one-time set-up link, or of what was pasted in its place: a whole link or the token alone. */
export function setupToken(text: string): string | undefined {
  const trimmed = text.trim()
  const fromLink = /#(?:.*&)?token=([^&\s]+)/.exec(trimmed)?.[1]
  if (fromLink !== undefined) return decodeURIComponent(fromLink)
  return /^[\w.~-]+$/.test(trimmed) ? trimmed : undefined
}
