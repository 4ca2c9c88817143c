/** The entries of an object of optional values, without those that are not there. */
export function entriesOf<T>(record: Readonly<Record<string, T | undefined>>): [string, T][] {
  return Object.entries(record).filter((entry): entry is [string, T] => entry[1] !== undefined)
}
