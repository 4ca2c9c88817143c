// Shows /openapi.json as a page. Everything is set as text, never as markup.
const make = (tag, attributes = {}, ...children) => {
  const element = document.createElement(tag)
  for (const [name, value] of Object.entries(attributes)) element.setAttribute(name, value)
  element.append(...children)
  return element
}

const nameOf = (reference) => reference.split('/').pop()

const typeOf = (schema) => {
  if (schema === undefined) return ''
  if (schema.$ref !== undefined) return nameOf(schema.$ref)
  const options = schema.oneOf ?? schema.anyOf ?? schema.allOf
  if (options !== undefined) return options.map(typeOf).join(' or ')
  if (schema.enum !== undefined) return schema.enum.map((value) => JSON.stringify(value)).join(' | ')
  const types = [schema.type ?? 'any'].flat()
  return types
    .map((type) => {
      if (type === 'array') return `${typeOf(schema.items)}[]`
      if (type === 'object' && typeof schema.additionalProperties === 'object')
        return `{ …: ${typeOf(schema.additionalProperties)} }`
      return type
    })
    .join(' or ')
}

const table = (head, rows) =>
  make(
    'table',
    {},
    make('thead', {}, make('tr', {}, ...head.map((text) => make('th', {}, text)))),
    make('tbody', {}, ...rows.map((cells) => make('tr', {}, ...cells.map((cell) => make('td', {}, cell))))),
  )

const fieldsOf = (schema) => {
  const fields = Object.entries(schema.properties ?? {})
  if (fields.length === 0) return make('pre', {}, typeOf(schema))
  const required = new Set(schema.required ?? [])
  return table(
    ['field', 'type', ''],
    fields.map(([name, field]) => [
      make('code', {}, required.has(name) ? name : `${name}?`),
      make('code', {}, typeOf(field)),
      field.description ?? '',
    ]),
  )
}

const linkTo = (schema) => {
  const inner = schema?.items ?? schema
  const text = typeOf(schema)
  return inner?.$ref === undefined
    ? make('code', {}, text)
    : make('a', { href: `#${nameOf(inner.$ref)}` }, make('code', {}, text))
}

const bodies = (content) =>
  Object.entries(content ?? {}).map(([kind, { schema }]) =>
    make('p', {}, make('span', { class: 'note' }, `${kind}: `), linkTo(schema)),
  )

const callOf = (path, method, call) => {
  const inside = make('div')
  if (call.description !== undefined) inside.append(make('p', {}, call.description))
  if (call.parameters?.length > 0)
    inside.append(
      make('h4', {}, 'Parameters'),
      table(
        ['name', 'in', 'type', ''],
        call.parameters.map((parameter) => [
          make('code', {}, parameter.required ? parameter.name : `${parameter.name}?`),
          parameter.in,
          make('code', {}, typeOf(parameter.schema)),
          parameter.description ?? '',
        ]),
      ),
    )
  if (call.requestBody !== undefined)
    inside.append(
      make('h4', {}, 'Body'),
      make('p', {}, call.requestBody.description ?? ''),
      ...bodies(call.requestBody.content),
    )
  inside.append(make('h4', {}, 'Answers'))
  for (const [status, answer] of Object.entries(call.responses ?? {}))
    inside.append(make('p', {}, make('strong', {}, `${status} `), answer.description ?? ''), ...bodies(answer.content))
  return make(
    'details',
    { id: `${method}${path}` },
    make(
      'summary',
      {},
      make('span', { class: 'method' }, method.toUpperCase()),
      make('code', {}, path),
      make('span', { class: 'note' }, ` ${call.summary ?? ''}`),
    ),
    inside,
  )
}

const show = (api) => {
  document.getElementById('about').textContent = `${api.info.description ?? ''} Version ${api.info.version}.`
  const byTag = new Map()
  for (const [path, methods] of Object.entries(api.paths))
    for (const [method, call] of Object.entries(methods)) {
      const tag = call.tags?.[0] ?? 'other'
      byTag.set(tag, [...(byTag.get(tag) ?? []), [path, method, call]])
    }
  const calls = document.getElementById('calls')
  calls.replaceChildren()
  const contents = make('ul')
  for (const [tag, list] of byTag) {
    calls.append(make('h2', {}, tag), ...list.map(([path, method, call]) => callOf(path, method, call)))
    for (const [path, method] of list)
      contents.append(make('li', {}, make('a', { href: `#${method}${path}` }, `${method.toUpperCase()} ${path}`)))
  }
  document.getElementById('contents').replaceChildren(contents)
  calls.append(make('h2', {}, 'shapes'))
  for (const [name, schema] of Object.entries(api.components?.schemas ?? {}))
    calls.append(
      make('h3', { id: name }, name),
      make('p', {}, schema.description ?? ''),
      fieldsOf(schema),
    )
}

const openTarget = () => {
  const target = document.getElementById(decodeURIComponent(location.hash.slice(1)))
  if (target?.tagName === 'DETAILS') target.open = true
  target?.scrollIntoView()
}

// the dashboard's session, if there is one: its refresh cookie gives a token for this page too
const login = async () => {
  const answer = await fetch('/auth/refresh', { method: 'POST' })
  if (!answer.ok) throw new Error('log in first, at the start page, and come back')
  return (await answer.json()).access_token
}

login()
  .then((token) => fetch('/openapi.json', { headers: { authorization: `Bearer ${token}` } }))
  .then((answer) => {
    if (!answer.ok) throw new Error(`the server answered ${answer.status}`)
    return answer.json()
  })
  .then((api) => {
    show(api)
    openTarget()
    addEventListener('hashchange', openTarget)
  })
  .catch((error) => {
    document.getElementById('calls').textContent = `The description could not be read: ${error.message}`
  })
