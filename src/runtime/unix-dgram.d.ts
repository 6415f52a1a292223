/** What we use of the package, which brings no types. */
declare module 'unix-dgram' {
  interface Socket {
    on(event: 'error', listener: (error: Error) => void): void;
    /** `callback` gets the failure, at once. */
    send(octets: Buffer, offset: number, length: number, path: string, callback: (error?: Error) => void): void;
    close(): void;
  }
  const unixDgram: { createSocket(type: 'unix_dgram'): Socket };
  // biome-ignore lint/style/noDefaultExport: the package is CommonJS
  export default unixDgram;
}
