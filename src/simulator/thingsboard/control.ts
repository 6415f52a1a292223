/** The double's HTTP side: what it received, and what a tenant may do at it. */
import type { IncomingMessage, RequestListener } from 'node:http';
import { asBridgeError, fail } from '../../core/errors.ts';
import { type JsonValue, writeJson } from '../../core/json.ts';
import { type Received, receivedDocument } from './received.ts';
import type { Tenant } from './tenant.ts';

const LARGEST_BODY = 1_048_576;
const ROUTE = /^\/devices\/([^/]+)(?:\/(shared|name))?$/;
const DONE: JsonValue = { result: 'done' };

/**
 * GET /received; POST /devices/NAME/shared with `{key: value}`, DELETE /devices/NAME/shared?keys=A,B;
 * POST /devices/NAME/name with `{"name"}`; DELETE /devices/NAME.
 */
export function controlListener(received: () => Received, tenant: Tenant): RequestListener {
  return (request, response) => {
    const answer = (status: number, document: JsonValue): void => {
      response.writeHead(status, { 'content-type': 'application/json' });
      response.end(`${writeJson(document)}\n`);
    };
    handle(request, received, tenant).then(
      (document) => answer(200, document),
      (thrown: unknown) => {
        const { code, message } = asBridgeError(thrown);
        answer(code === 'NOT_FOUND' ? 404 : 400, { error: { code, message } });
      },
    );
  };
}

async function handle(request: IncomingMessage, received: () => Received, tenant: Tenant): Promise<JsonValue> {
  const { pathname, searchParams } = new URL(request.url ?? '/', 'http://double');
  if (request.method === 'GET' && pathname === '/received') return receivedDocument(received());
  const [, encoded = '', part] = ROUTE.exec(pathname) ?? [];
  const device = decoded(encoded);
  switch (`${request.method} ${encoded === '' ? '' : (part ?? 'device')}`) {
    case 'POST shared':
      tenant.setShared(device, await bodyOf(request));
      return DONE;
    case 'DELETE shared':
      tenant.deleteShared(device, (searchParams.get('keys') ?? '').split(','));
      return DONE;
    case 'POST name': {
      const { name } = await bodyOf(request);
      tenant.rename(
        device,
        typeof name === 'string' && name !== '' ? name : fail('INVALID_VALUE', '"name" is missing'),
      );
      return DONE;
    }
    case 'DELETE device':
      tenant.remove(device);
      return DONE;
    default:
      return fail('NOT_FOUND', 'there is nothing of this name here');
  }
}

function decoded(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch (cause) {
    return fail('INVALID_VALUE', 'the path is not encoded as a URL is', { cause });
  }
}

async function bodyOf(request: IncomingMessage): Promise<Record<string, JsonValue>> {
  const parts: Buffer[] = [];
  let octets = 0;
  for await (const part of request as AsyncIterable<Buffer>) {
    octets += part.length;
    if (octets > LARGEST_BODY) fail('INVALID_VALUE', 'the body is larger than 1 MiB');
    parts.push(part);
  }
  let document: unknown;
  try {
    document = JSON.parse(Buffer.concat(parts).toString());
  } catch (cause) {
    fail('INVALID_VALUE', 'the body is no JSON', { cause });
  }
  if (typeof document !== 'object' || document === null || Array.isArray(document)) {
    return fail('INVALID_VALUE', 'the body is no JSON object');
  }
  return document as Record<string, JsonValue>;
}
