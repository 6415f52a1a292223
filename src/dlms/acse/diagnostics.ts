/** What a refused association means as an error of ours. */
import { BridgeError, type ErrorCode } from '../../core/errors.ts';
import type { Apdu } from '../xdlms/apdu.ts';
import type { Aare } from './types.ts';

interface Meaning {
  readonly code: ErrorCode;
  readonly hint?: string;
}

/** Diagnostics of the service user that say more than "rejected". */
const MEANINGS: Readonly<Record<number, Meaning>> = {
  2: {
    code: 'CONTEXT_NOT_SUPPORTED',
    hint: 'the meter wants another application context: try --referencing sn (or ln), or --security both with its keys',
  },
  3: { code: 'ASSOCIATION_REJECTED', hint: 'the meter does not know the client system title: check --system-title' },
  11: {
    code: 'AUTHENTICATION_REQUIRED',
    hint: 'the meter does not know this authentication mechanism: try another --auth',
  },
  12: { code: 'AUTHENTICATION_REQUIRED' },
  13: { code: 'AUTHENTICATION_FAILED' },
  14: { code: 'AUTHENTICATION_REQUIRED' },
};

const ACCEPTED = 0;
const REJECTED_TRANSIENT = 2;

/**
 * Why the meter refused, or null when it accepted. The result counts, whatever else is there: a refusal may come without
 * user-information, and `accepted` with diagnostic 14 awaits the HLS exchange.
 */
export function associationError(aare: Aare, referencing: 'ln' | 'sn' = 'ln'): BridgeError | null {
  const { result, resultSourceDiagnostic, userInformation } = aare;
  if (result.code === ACCEPTED) return null;
  const { source, code, name } = resultSourceDiagnostic;
  const contents = userInformation?.decoded ?? null;
  const byDiagnostic = source === 'acse-service-user' ? MEANINGS[code] : undefined;
  const other = referencing === 'ln' ? 'sn' : 'ln';
  const isAboutContext = byDiagnostic === undefined || byDiagnostic.code === 'CONTEXT_NOT_SUPPORTED';
  if (isAboutContext && referencingIn(aare) === other) {
    return otherReferencingError('the meter refused the association', other);
  }
  const meaning: Meaning = isWrongKey(contents)
    ? { code: 'DECRYPT_FAILED' }
    : (byDiagnostic ?? { code: 'ASSOCIATION_REJECTED' });
  const reason = reasonIn(contents);
  return new BridgeError(
    meaning.code,
    `the meter refused the association: ${result.name}, ${source} ${name} (${code})${reason}`,
    {
      layer: 'acse',
      ...(meaning.hint !== undefined && { hint: meaning.hint }),
      ...(result.code === REJECTED_TRANSIENT && { retryable: true }),
      facts: { result: result.code, source, diagnostic: code },
    },
  );
}

/** Of the application context that the meter answers with; null when it names none. */
function referencingIn({ applicationContextName: { context } }: Aare): 'ln' | 'sn' | null {
  if (context === null) return null;
  return context.startsWith('SN') ? 'sn' : 'ln';
}

/** The meter names its objects in the other way than we. */
export function otherReferencingError(what: string, speaks: 'ln' | 'sn'): BridgeError {
  const kind = speaks === 'sn' ? 'short names' : 'logical names';
  return new BridgeError('CONTEXT_NOT_SUPPORTED', `${what}: it speaks ${kind}`, {
    hint: `the meter speaks ${kind}: try --referencing ${speaks}`,
    facts: { referencing: speaks },
  });
}

/** The meter could not open our initiateRequest: it has another key than we, or knows us by another system title. */
function isWrongKey(contents: Apdu | null): boolean {
  return contents?.apdu === 'confirmedServiceError' && contents.error === 'deciphering-error';
}

function reasonIn(decoded: Apdu | null): string {
  return decoded?.apdu === 'confirmedServiceError' ? `; ${decoded.errorClass}: ${decoded.error}` : '';
}
