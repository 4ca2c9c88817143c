import { ApiError, errorFrom, NetworkError } from './errors'

export interface RequestOptions {
  readonly method?: 'GET' | 'POST' | 'PUT' | 'DELETE'
  readonly body?: unknown
  readonly token?: string | undefined
  readonly signal?: AbortSignal | undefined
}

function initFrom({ method = 'GET', body, token, signal }: RequestOptions): RequestInit {
  const headers = new Headers({ accept: 'application/json' })
  if (token !== undefined) headers.set('authorization', `Bearer ${token}`)
  const init: RequestInit = { method, headers, credentials: 'same-origin', cache: 'no-store' }
  if (signal) init.signal = signal
  if (body !== undefined) {
    headers.set('content-type', 'application/json')
    init.body = JSON.stringify(body)
  }
  return init
}

function parse(text: string, status: number): unknown {
  if (text === '') return undefined
  try {
    return JSON.parse(text)
  } catch {
    throw new ApiError(status, 'not_json', 'the answer is not JSON: is something between you and the server?')
  }
}

/** One request with the project's conventions: JSON in and out, errors as `ApiError` or `NetworkError`. */
export async function request<T>(path: string, options: RequestOptions = {}): Promise<T> {
  let response: Response
  let text: string
  try {
    response = await fetch(path, initFrom(options))
    if (!response.ok) throw await errorFrom(response)
    text = await response.text()
  } catch (cause) {
    if (cause instanceof ApiError || options.signal?.aborted) throw cause
    throw new NetworkError(cause)
  }
  // The server is of the same build as this file and its types are generated from it: the one place that trusts them.
  return parse(text, response.status) as T
}
