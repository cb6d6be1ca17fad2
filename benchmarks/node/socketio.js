// Socket.IO: an event that is acknowledged with what it brought, and one that goes to all of a room. Nothing is validated.
import { Server } from 'socket.io'
import { serve } from './serve.js'

const io = new Server(serve(), { transports: ['websocket'], serveClient: false })
io.on('connection', (socket) => {
  const room = socket.handshake.query.room
  socket.join(room)
  socket.on('echo', (value, acknowledge) => acknowledge(value))
  socket.on('publish', (value) => io.to(room).emit('message', value))
})
