// What the contenders written for Node.js have in common: a loopback listener whose address is printed, a control request
// that frees unused memory, and an end when standard input ends.
import http from 'node:http'

export function serve () {
  const server = http.createServer((request, response) => {
    if (request.url === '/gc') {
      globalThis.gc()
      globalThis.gc()
      const { heapUsed, external } = process.memoryUsage()
      response.write(JSON.stringify({ Heap: heapUsed + external }))
    } else {
      response.statusCode = 404
    }
    response.end()
  })
  server.listen(0, '127.0.0.1', 16384, () => {
    const { address, port } = server.address()
    console.log(`${address}:${port}`)
  })
  process.stdin.resume()
  process.stdin.on('end', () => process.exit(0))
  return server
}
