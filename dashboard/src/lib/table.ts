// The data behind charts: one column of times, one column per field, in the form that uPlot draws.
// `null` breaks a line (something is missing), `undefined` does not (this field was not read at that time).

export type Cell = number | null | undefined

export interface ColumnInput {
  /** Name of the column. */
  readonly field: string
  /** Starts of windows in milliseconds, ascending. */
  readonly times: readonly number[]
  readonly values: readonly (number | null)[]
}

/** Samples may be this many usual intervals apart before the line breaks. */
const GAP_INTERVALS = 3.5

interface Column {
  readonly cells: Cell[]
  /** The usual distance between two values in milliseconds, 0 while it is not known. */
  interval: number
  /** Time of the last row that has a value. */
  lastRow: number
  /** The instant up to which readings went into the last row. */
  reflects: number
}

function usualInterval({ times, values }: ColumnInput): number {
  const distances: number[] = []
  let before: number | undefined
  for (const [index, time] of times.entries()) {
    if (values[index] === null) continue
    if (before !== undefined) distances.push(time - before)
    before = time
  }
  distances.sort((a, b) => a - b)
  return distances[Math.floor(distances.length / 2)] ?? 0
}

/**
 * History and live values of several fields of one entity.
 *
 * Rows are windows of `step` milliseconds. A reading of a window that is there already goes into its time-weighted
 * mean, so that the live edge continues the history; a reading that comes a second time changes nothing.
 */
export class SeriesTable {
  readonly #times: number[] = []
  readonly #columns = new Map<string, Column>()

  constructor(readonly step: number) {}

  /** Takes a history that reflects everything up to `until`. */
  static from(step: number, until: number, inputs: readonly ColumnInput[]): SeriesTable {
    const table = new SeriesTable(step)
    const rows = new Set(inputs.flatMap(({ times }) => times))
    for (const input of inputs) for (const hole of table.#holes(input)) rows.add(hole)
    for (const time of [...rows].toSorted((a, b) => a - b)) table.#times.push(time)
    const rowOf = new Map(table.#times.map((time, row) => [time, row]))
    for (const input of inputs) table.#columns.set(input.field, table.#load(input, rowOf, until))
    return table
  }

  /** Starts of the windows in milliseconds. */
  get times(): readonly number[] {
    return this.#times
  }

  get fields(): string[] {
    return [...this.#columns.keys()]
  }

  cells(field: string): readonly Cell[] {
    return this.#columns.get(field)?.cells ?? this.#times.map(() => undefined)
  }

  /** The newest value of a field and the start of its window. */
  last(field: string): { readonly time: number; readonly value: number } | undefined {
    const cells = this.cells(field)
    for (let row = cells.length - 1; row >= 0; row -= 1) {
      const value = cells[row]
      const time = this.#times[row]
      if (typeof value === 'number' && time !== undefined) return { time, value }
    }
    return undefined
  }

  /** Takes one reading that came live. Returns whether it changed anything. */
  add(field: string, time: number, value: number): boolean {
    const start = Math.floor(time / this.step) * this.step
    const column = this.#column(field)
    if (start > column.lastRow) {
      this.#breakLine(column, start)
      column.cells[this.#row(start)] = value
      if (column.interval === 0 && column.lastRow > 0) column.interval = start - column.lastRow
      column.lastRow = start
      column.reflects = time
      return true
    }
    const row = this.#row(start)
    const before = column.cells[row]
    if (typeof before !== 'number') {
      column.cells[row] = value
      return true
    }
    if (start < column.lastRow || time <= column.reflects) return false
    const weight = column.reflects - start
    column.cells[row] = (before * weight + value * (time - column.reflects)) / (time - start)
    column.reflects = time
    return true
  }

  has(field: string): boolean {
    return this.#columns.has(field)
  }

  /** Takes one reading into the smallest or largest value of its window. */
  widen(field: string, time: number, value: number, edge: 'min' | 'max'): void {
    const start = Math.floor(time / this.step) * this.step
    const column = this.#column(field)
    const row = this.#row(start)
    const before = column.cells[row]
    column.cells[row] = typeof before === 'number' ? Math[edge](before, value) : value
  }

  /** Forgets what is older, in large pieces. */
  trim(before: number): void {
    const old = this.#times.findIndex((time) => time >= before)
    if (old < 64) return
    this.#times.splice(0, old)
    for (const { cells } of this.#columns.values()) cells.splice(0, old)
  }

  #load(input: ColumnInput, rowOf: ReadonlyMap<number, number>, until: number): Column {
    const cells: Cell[] = this.#times.map(() => undefined)
    const column: Column = { cells, interval: usualInterval(input), lastRow: -Infinity, reflects: -Infinity }
    for (const [index, time] of input.times.entries()) {
      const value = input.values[index] ?? null
      const row = rowOf.get(time)
      if (value === null || row === undefined) continue
      cells[row] = value
      column.lastRow = time
      column.reflects = Math.min(until, time + this.step)
    }
    for (const hole of this.#holes(input)) cells[rowOf.get(hole) ?? 0] = null
    return column
  }

  /**
   * Instants at which the line breaks: after a value that is followed by nothing for too long. Windows that are empty
   * only because they are shorter than the time between two polls are no holes.
   */
  #holes(input: ColumnInput): number[] {
    const longest = this.#longest({ interval: usualInterval(input) })
    const holes: number[] = []
    let last: number | undefined
    for (const [index, time] of input.times.entries()) {
      if (input.values[index] === null) continue
      if (last !== undefined && time - last > longest) holes.push(last + this.step)
      last = time
    }
    return holes
  }

  #column(field: string): Column {
    let column = this.#columns.get(field)
    if (!column) {
      column = { cells: this.#times.map(() => undefined), interval: 0, lastRow: -Infinity, reflects: -Infinity }
      this.#columns.set(field, column)
    }
    return column
  }

  /** Leaves a hole before a value that comes too long after the one before it. */
  #breakLine(column: Column, start: number): void {
    if (column.lastRow === -Infinity || start - column.lastRow <= this.#longest(column)) return
    column.cells[this.#row(column.lastRow + this.step)] ??= null
  }

  #longest({ interval }: Pick<Column, 'interval'>): number {
    return interval === 0 ? Infinity : Math.max(GAP_INTERVALS * interval, 1.5 * this.step)
  }

  /** The row of a window; a new one if there is none yet. */
  #row(start: number): number {
    let row = this.#times.length
    while (row > 0 && (this.#times[row - 1] ?? 0) > start) row -= 1
    if (row > 0 && this.#times[row - 1] === start) return row - 1
    this.#times.splice(row, 0, start)
    for (const { cells } of this.#columns.values()) cells.splice(row, 0, undefined)
    return row
  }
}
