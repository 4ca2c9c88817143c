/** The token of a one-time set-up link, or of what was pasted in its place: a whole link or the token alone. */
export function setupToken(text: string): string | undefined {
  const trimmed = text.trim()
  const token = /#(?:.*&)?token=([^&\s]+)$/.exec(trimmed)?.[1] ?? trimmed
  return /^[\w.~-]+$/.test(token) ? token : undefined
}
