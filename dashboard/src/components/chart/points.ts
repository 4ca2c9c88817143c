/** Rows of values that have a gap or an end of the data on both sides. */
export function alonePoints(cells: ArrayLike<number | null | undefined>): number[] {
  const rows: number[] = []
  let before: number | undefined
  let isJoined = false
  for (let row = 0; row < cells.length; row += 1) {
    const value = cells[row]
    if (value === undefined) continue
    if (value === null) {
      if (before !== undefined && !isJoined) rows.push(before)
      before = undefined
      isJoined = false
    } else {
      isJoined = before !== undefined
      before = row
    }
  }
  if (before !== undefined && !isJoined) rows.push(before)
  return rows
}
