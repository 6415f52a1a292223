/** Misbehaviours of single objects: the object list, the image transfer. What is ciphered they let pass. */
import { IMAGE_METHOD, IMAGE_TRANSFER } from '../../dlms/cosem/image-transfer.ts';
import type { FaultKind } from './faults.ts';

export const OBJECT_FAULTS = {
  'object-count': {
    description: 'announces another number of objects than its object list has',
    parameter: { meaning: 'objects too many, 0 to 100', default: 3 },
    make: ({ parameter }) => ({ says: (answer) => withObjectsAnnounced(answer, parameter) }),
  },
  'lose-image-block': {
    description: 'acknowledges every n-th block of an image and loses it',
    parameter: { meaning: 'blocks', default: 7 },
    make: ({ parameter }) => {
      let heard = 0;
      return {
        refuses: (request) => {
          if (!isImageCall(request, IMAGE_METHOD.transferBlock)) return null;
          heard += 1;
          return heard % parameter === 0 ? actionAnswer(request, SUCCESS) : null;
        },
      };
    },
  },
  'verify-pending': {
    description: 'answers temporary-failure to the first calls of image_verify',
    parameter: { meaning: 'calls', default: 2 },
    make: ({ parameter }) => {
      let heard = 0;
      return {
        refuses: (request) => {
          if (!isImageCall(request, IMAGE_METHOD.verify)) return null;
          heard += 1;
          return heard <= parameter ? actionAnswer(request, TEMPORARY_FAILURE) : null;
        },
      };
    },
  },
} as const satisfies Record<string, FaultKind>;

const GET_RESPONSE = 0xc4;
const SUCCESS = 0;
const TEMPORARY_FAILURE = 2;
/** action-request-normal: tag, form, invoke id, class, logical name, method. */
const ACTION_REQUEST_NORMAL = [0xc3, 0x01] as const;
const INVOKE_ID_AT = 2;
const METHOD_AT = 11;

function isImageCall(request: Uint8Array, method: number): boolean {
  const isAction = ACTION_REQUEST_NORMAL.every((octet, at) => request[at] === octet);
  return isAction && request[3] === 0 && request[4] === IMAGE_TRANSFER && request[METHOD_AT] === method;
}

function actionAnswer(request: Uint8Array, result: number): Uint8Array {
  return Uint8Array.of(0xc7, 0x01, request[INVOKE_ID_AT] ?? 0, result, 0);
}

/** Class 15 or 1 in an entry of an object list: structure of 4, long-unsigned. */
const FIRST_OBJECT = [0x02, 0x04, 0x12, 0x00];

/** Changes the count before the first object, where there is one. Before the others an object without methods may end, `01 00`. */
function withObjectsAnnounced(answer: Uint8Array, more: number): Uint8Array {
  if (answer[0] !== GET_RESPONSE) return answer;
  const first = answer.findIndex((_, at) => FIRST_OBJECT.every((octet, index) => answer[at + index] === octet));
  if (first < 2 || answer[first - 2] !== ARRAY || answer[first - 1] === 0) return answer;
  const copy = answer.slice();
  copy[first - 1]! += more;
  return copy;
}

const ARRAY = 0x01;
