/** What the server answered instead of what was asked for. */
export class ApiError extends Error {
  override readonly name = 'ApiError'

  constructor(
    readonly status: number,
    readonly code: string,
    message: string,
    /** Finds the request in the server's log. */
    readonly requestId?: string,
    /** Seconds that the server asks to wait before another try. */
    readonly retryAfter?: number,
  ) {
    super(message)
  }
}

/** The server could not be reached at all. */
export class NetworkError extends Error {
  override readonly name = 'NetworkError'

  constructor(cause: unknown) {
    super('the server cannot be reached', { cause })
  }
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null
}

function text(value: unknown): string | undefined {
  return typeof value === 'string' && value !== '' ? value : undefined
}

/** Reads `{"error":{"code","message","request_id"}}`; anything else (a proxy's page) is told by its status. */
export async function errorFrom(response: Response): Promise<ApiError> {
  const body: unknown = await response.json().catch(() => undefined)
  const error = isRecord(body) && isRecord(body.error) ? body.error : {}
  const wait = Number(response.headers.get('retry-after') ?? Number.NaN)
  return new ApiError(
    response.status,
    text(error.code) ?? `http_${response.status}`,
    text(error.message) ?? `the server answered ${response.status} ${response.statusText}`.trim(),
    text(error.request_id),
    Number.isFinite(wait) ? wait : undefined,
  )
}

/** A sentence for people, whatever was thrown. */
export function messageOf(error: unknown): string {
  const message = error instanceof Error ? error.message : 'something unexpected went wrong'
  return message.charAt(0).toUpperCase() + message.slice(1)
}
