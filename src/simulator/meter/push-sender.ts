/** Sends the pushes of a virtual meter: a connection for each, one wrapper message, and it is closed. */
import { encodeWrapper } from '../../dlms/wrapper.ts';
import type { Clock } from '../../runtime/clock.ts';
import { tcpTransport } from '../../transport/tcp.ts';
import type { Push } from './push-object.ts';

/** WPort of the management client, to which meters push. */
const RECEIVER = 1;

/** Never throws: a push that nobody hears is lost, as with any meter. */
export async function sendPush({ host, port, apdu }: Push, server: number, clock: Clock): Promise<void> {
  const transport = tcpTransport({ host, port, clock });
  try {
    await transport.open({ data: () => undefined, closed: () => undefined });
    await transport.write(encodeWrapper(server, RECEIVER, apdu));
  } catch {
    // Nobody listens, or not any more.
  } finally {
    await transport.close();
  }
}
