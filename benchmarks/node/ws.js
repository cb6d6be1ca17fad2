// What a TypeScript server of the same wire does: ws, an envelope, zod on the way in and on the way out.
import { WebSocketServer } from 'ws'
import { z } from 'zod'
import { serve } from './serve.js'

const body = z.object({
  ts: z.number().int().min(0),
  n: z.number().int().min(0).max(1000),
  ok: z.boolean(),
  tag: z.string().min(1).max(16),
  text: z.string().max(4096)
})
const envelope = z.object({
  socka: z.literal('clientRequest'),
  v: z.literal(1),
  id: z.string(),
  rpc: z.string(),
  body: z.looseObject({})
})
const calls = {
  echo: { output: body, handle: (_room, input) => input },
  publish: { handle: (room, input) => broadcast(room, 'message', input) }
}

function broadcast (room, event, value) {
  const checked = body.safeParse(value)
  if (!checked.success) throw new Error(checked.error.message)
  const text = Buffer.from(JSON.stringify({ socka: 'serverEvent', v: 1, event, body: checked.data })) // a string is encoded at each send
  for (const member of room) member.send(text, { binary: false })
}

const rooms = new Map()

async function answer (socket, room, text) {
  let parsed
  try {
    parsed = envelope.safeParse(JSON.parse(text))
  } catch {
    return
  }
  if (!parsed.success) return
  const { id, rpc } = parsed.data
  const fail = (error) => socket.send(JSON.stringify({ socka: 'serverError', v: 1, id, error, rpc }))
  if (!Object.hasOwn(calls, rpc)) return fail(`Unknown call: ${rpc}`)
  const input = body.safeParse(parsed.data.body)
  if (!input.success) return fail(input.error.message)
  const call = calls[rpc]
  let result
  try {
    result = await call.handle(room, input.data) // a handler may be asynchronous
  } catch (error) {
    return fail(error.message)
  }
  if (!call.output) return
  const output = call.output.safeParse(result)
  if (!output.success) return fail(output.error.message)
  socket.send(JSON.stringify({ socka: 'serverResponse', v: 1, id, rpc, body: output.data }))
}

const server = new WebSocketServer({ server: serve() })
server.on('connection', (socket, request) => {
  const name = request.url
  if (!rooms.has(name)) rooms.set(name, new Set())
  const room = rooms.get(name)
  room.add(socket)
  socket.on('close', () => {
    room.delete(socket)
    if (room.size === 0) rooms.delete(name)
  })
  socket.on('error', () => socket.terminate())
  socket.on('message', (data) => answer(socket, room, data.toString()))
})
