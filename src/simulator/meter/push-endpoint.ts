/** The meters' end of a line on which a meter pushes as well: confirmations are taken out, the rest is for its server. */
import { HdlcDeframer } from '../../dlms/hdlc/deframer.ts';
import { encodeFrame } from '../../dlms/hdlc/frame.ts';
import { splitLlc } from '../../dlms/hdlc/llc.ts';
import { encodeWrapper, WrapperDeframer } from '../../dlms/wrapper.ts';
import type { Framing } from '../../transport/link-address.ts';
import type { Endpoint, Outgoing } from './endpoint.ts';

/** `confirms`: whether an APDU is the confirmation of a push. */
export function pushEndpoint(framing: Framing, inner: Endpoint, confirms: (apdu: Uint8Array) => boolean): Endpoint {
  return framing === 'wrapper' ? wrapperEndpoint(inner, confirms) : hdlcEndpoint(inner, confirms);
}

function wrapperEndpoint(inner: Endpoint, confirms: (apdu: Uint8Array) => boolean): Endpoint {
  const deframer = new WrapperDeframer();
  return {
    receive: (octets) =>
      deframer.push(octets).flatMap((item): readonly Outgoing[] => {
        if (item.kind !== 'frame' || confirms(item.frame.apdu)) return [];
        const { sourceWPort, destinationWPort, apdu } = item.frame;
        return inner.receive(encodeWrapper(sourceWPort, destinationWPort, apdu));
      }),
    silence: () => inner.silence(),
  };
}

function hdlcEndpoint(inner: Endpoint, confirms: (apdu: Uint8Array) => boolean): Endpoint {
  const deframer = new HdlcDeframer();
  return {
    receive: (octets) =>
      deframer.push(octets).flatMap((item): readonly Outgoing[] => {
        if (item.kind !== 'frame') return [];
        const { control, information } = item.frame;
        const isConfirmation =
          control.frameType === 'UI' && information !== null && confirms(splitLlc(information).rest);
        return isConfirmation ? [] : inner.receive(encodeFrame(item.frame));
      }),
    silence: () => inner.silence(),
  };
}
