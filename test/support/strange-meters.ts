/** Things on a TCP port that are no virtual meters: they answer whatever comes with the same octets. */
import { fromHex } from '../../src/core/bytes.ts';
import { encodeWrapper } from '../../src/dlms/wrapper.ts';
import type { Bench } from './cli.ts';
import { tcpServer } from './tcp-server.ts';

/** A UA as an HDLC meter sends it (vector hdlc-ua-154-154). */
export const HDLC_UA = fromHex('7ea01f21022373e6c781801205019a06019a070400000001080400000001cca27e');
/** An AARE that accepts (vector acse-aare-accepted), in wrapper framing. */
export const WRAPPED_AARE = encodeWrapper(
  1,
  16,
  fromHex('6129a109060760857405080101a203020100a305a103020100be10040e0800065f1f040000501f01f40007'),
);

/** The port. */
export async function answeringPort(bench: Bench, answer: Uint8Array): Promise<number> {
  const { port } = await tcpServer(bench, (socket) => socket.on('data', () => socket.write(answer)));
  return port;
}
