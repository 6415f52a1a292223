/** Requests to a virtual meter and its answers, made with the codecs. */
import { asBridgeError, type BridgeError } from '../../src/core/errors.ts';
import { aarqOf, decodeAcse, encodeAcse } from '../../src/dlms/acse/acse.ts';
import type { Aare } from '../../src/dlms/acse/types.ts';
import type { ClientLink, LinkEvent, LinkOutput } from '../../src/dlms/link.ts';
import type { AuthenticationLevel } from '../../src/dlms/settings.ts';
import { type Apdu, decodeApdu, encodeApdu } from '../../src/dlms/xdlms/apdu.ts';
import type { ConformanceBit } from '../../src/dlms/xdlms/conformance.ts';
import { initiateRequestOf } from '../../src/dlms/xdlms/initiate.ts';
import { invokeIdAndPriority } from '../../src/dlms/xdlms/invoke-id.ts';
import type { AttributeReference, GetRequest, GetResponse } from '../../src/dlms/xdlms/services.ts';
import { CosemServer } from '../../src/simulator/meter/cosem-server.ts';
import { MeterModel, type MeterModelOptions } from '../../src/simulator/meter/meter-model.ts';
import type { Transport } from '../../src/transport/transport.ts';

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

/** A client on a transport: writes what its link wants, and keeps what happens. */
export class TestClient {
  readonly events: LinkEvent[] = [];
  /** Octets as they arrived, one entry for each portion. */
  readonly portions: Uint8Array[] = [];
  closed: BridgeError | null = null;
  private readonly transport: Transport;
  private readonly link: ClientLink;
  private isOpen = false;
  private waiting: ((event: LinkEvent) => boolean) | null = null;

  constructor(transport: Transport, link: ClientLink) {
    this.transport = transport;
    this.link = link;
  }

  /** Opens the transport, unless it is open. */
  async open(): Promise<void> {
    if (this.isOpen) return;
    this.isOpen = true;
    await this.transport.open({
      data: (octets) => {
        this.portions.push(octets.slice());
        this.carryOut(this.link.receive(octets));
      },
      closed: (reason) => {
        this.closed = reason;
      },
    });
  }

  /** Opens the transport unless it is open, the link and an association. */
  async associate(opening: Opening = {}): Promise<void> {
    await this.open();
    await this.connect();
    const { result } = aareIn(await this.exchange(aarq(opening)));
    if (result.code !== 0) throw new Error(`the association was rejected: ${result.name}`);
  }

  async connect(): Promise<void> {
    await this.awaiting('connected', () => this.link.connect());
  }

  async exchange(apdu: Uint8Array): Promise<Uint8Array> {
    const event = await this.awaiting('apdu', () => this.link.send(apdu));
    return event.kind === 'apdu' ? event.apdu : new Uint8Array(0);
  }

  /** Sends without waiting for an answer. */
  send(apdu: Uint8Array): void {
    this.carryOut(this.link.send(apdu));
  }

  /** Lets the link believe that the response time-out has passed. */
  timeout(): void {
    this.carryOut(this.link.timeout());
  }

  async write(octets: Uint8Array): Promise<void> {
    await this.transport.write(octets);
  }

  async close(): Promise<void> {
    this.isOpen = false;
    await this.transport.close();
  }

  private awaiting(kind: LinkEvent['kind'], begin: () => LinkOutput): Promise<LinkEvent> {
    return new Promise((resolve, reject) => {
      this.waiting = (event) => {
        if (event.kind === 'failed') reject(event.error);
        else if (event.kind === kind) resolve(event);
        return event.kind === 'failed' || event.kind === kind;
      };
      this.carryOut(begin());
    });
  }

  private carryOut({ send, events }: LinkOutput): void {
    for (const frame of send) {
      this.transport.write(frame).catch((error: unknown) => {
        this.closed = asBridgeError(error);
      });
    }
    for (const event of events) {
      this.events.push(event);
      if (this.waiting?.(event)) this.waiting = null;
    }
  }
}
