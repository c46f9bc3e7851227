/**
 * Node's `http`, for those who listen or ask with it. An `import` of `node:http` reads each of its exports, and one of them
 * loads an HTTP client and WebSockets that nobody here uses: a process would start with 80 ms more of CPU time.
 */
export const http = process.getBuiltinModule("node:http");
