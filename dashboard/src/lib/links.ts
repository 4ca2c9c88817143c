/** Link to an entity, typed for the router. Its key holds slashes and percent signs: the router encodes it as one part. */
export function entityLink(key: string) {
  return { to: '/entity/$key', params: { key } } as const
}
