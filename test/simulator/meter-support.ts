/** Requests to a virtual meter and its answers, made with the codecs. */
import { aarqOf, decodeAcse, encodeAcse } from '../../src/dlms/acse/acse.ts';
import type { Aare } from '../../src/dlms/acse/types.ts';
import type { AuthenticationLevel } from '../../src/dlms/settings.ts';
import { type Apdu, decodeApdu, encodeApdu } from '../../src/dlms/xdlms/apdu.ts';
import type { ConformanceBit } from '../../src/dlms/xdlms/conformance.ts';
import { initiateRequestOf } from '../../src/dlms/xdlms/initiate.ts';
import { invokeIdAndPriority } from '../../src/dlms/xdlms/invoke-id.ts';
import type { AttributeReference, GetRequest, GetResponse } from '../../src/dlms/xdlms/services.ts';
import { CosemServer } from '../../src/simulator/meter/cosem-server.ts';
import { MeterModel, type MeterModelOptions } from '../../src/simulator/meter/meter-model.ts';

export const NOW = Date.UTC(2026, 5, 15, 18, 30);
export const PASSWORD = 'secret12';
export const EVERYTHING: readonly ConformanceBit[] = [
  'get',
  'set',
  'action',
  'selective-access',
  'multiple-references',
  'block-transfer-with-get-or-read',
];

export function model(options: Partial<MeterModelOptions> = {}): MeterModel {
  return new MeterModel({
    seed: 1,
    index: 0,
    server: 1,
    phases: 3,
    authentication: 'none',
    password: Buffer.from(PASSWORD),
    maxPdu: 1024,
    ...options,
  });
}

export interface Opening {
  readonly authentication?: AuthenticationLevel;
  readonly password?: string;
  readonly maxPdu?: number;
  readonly bits?: readonly ConformanceBit[];
  readonly referencing?: 'ln' | 'sn';
}

export function aarq({
  authentication = 'none',
  password,
  maxPdu = 65535,
  bits = EVERYTHING,
  referencing = 'ln',
}: Opening = {}): Uint8Array {
  return encodeAcse(
    aarqOf({
      referencing,
      authentication,
      authenticationValue: password === undefined ? null : Buffer.from(password),
      userInformation: initiateRequestOf(bits, maxPdu),
    }),
  );
}

export function aareIn(octets: Uint8Array | null): Aare {
  const apdu = decodeAcse(octets ?? new Uint8Array(0));
  if (apdu.apdu !== 'aare') throw new Error(`an AARE was expected, not ${apdu.apdu}`);
  return apdu;
}

/** A server end with an association of this client. */
export function associated(client = 16, opening: Opening = {}, meter: MeterModel = model()): CosemServer {
  const server = new CosemServer(meter, client);
  const { result } = aareIn(server.receive(aarq(opening), NOW).apdu);
  if (result.code !== 0) throw new Error(`the association was rejected: ${result.name}`);
  return server;
}

/** `class:obis:attribute` as people write it. */
export function attribute(text: string): AttributeReference {
  const [classId, instanceId = '', attributeId = 2] = text.split(':');
  return { classId: Number(classId), instanceId, attributeId: Number(attributeId) };
}

export function getNormal(text: string, invokeId = 1): Uint8Array {
  return get({ type: 'normal', attribute: attribute(text), accessSelection: null }, invokeId);
}

export function getList(texts: readonly string[], invokeId = 1): Uint8Array {
  const attributes = texts.map((text) => ({ ...attribute(text), accessSelection: null }));
  return get({ type: 'with-list', attributes }, invokeId);
}

export function getNext(blockNumber: number, invokeId = 1): Uint8Array {
  return get({ type: 'next', blockNumber }, invokeId);
}

type GetBody = GetRequest extends infer R
  ? R extends GetRequest
    ? Omit<R, 'apdu' | 'invokeIdAndPriority'>
    : never
  : never;

export function get(body: GetBody, invokeId = 1): Uint8Array {
  return encodeApdu({ apdu: 'get-request', invokeIdAndPriority: invokeIdAndPriority(invokeId), ...body } as GetRequest);
}

export function apduIn(octets: Uint8Array | null): Apdu {
  if (octets === null) throw new Error('an answer was expected, not silence');
  return decodeApdu(octets);
}

export function getResponseIn(octets: Uint8Array | null): GetResponse {
  const apdu = apduIn(octets);
  if (apdu.apdu !== 'get-response') throw new Error(`a get-response was expected, not ${apdu.apdu}`);
  return apdu;
}

export type Block = Extract<GetResponse, { type: 'with-datablock' }>;

export function blockIn(octets: Uint8Array | null): Block {
  const response = getResponseIn(octets);
  if (response.type !== 'with-datablock') throw new Error(`a block was expected, not ${response.type}`);
  return response;
}
