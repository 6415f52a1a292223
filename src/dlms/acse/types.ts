/** Shapes of the ACSE APDUs (Green Book 9.4.2, ISO/IEC 15954). Fields that are not transmitted are left out. */
import type { Apdu } from '../xdlms/apdu.ts';
import type { ApplicationContext, Mechanism } from './names.ts';

export interface ApplicationContextName {
  readonly oid: string;
  /** null for an object identifier that is none of DLMS. */
  readonly context: ApplicationContext | null;
}

export interface MechanismName {
  readonly oid: string;
  readonly mechanism: Mechanism | null;
}

export interface AuthenticationValue {
  readonly choice: 'charstring' | 'bitstring' | 'external' | 'other';
  /** LLS password or HLS challenge. */
  readonly hex: Uint8Array;
}

export interface UserInformation {
  /** The xDLMS APDU inside; alone what is encoded. */
  readonly hex: Uint8Array;
  /** What `hex` says; a ciphered APDU is taken apart, not opened. null where a rejection carries what cannot be read. */
  readonly decoded: Apdu | null;
}

export interface CodeName {
  readonly code: number;
  /** `unassigned-N` for a code that the standard has not. */
  readonly name: string;
}

export interface ResultSourceDiagnostic extends CodeName {
  readonly source: 'acse-service-user' | 'acse-service-provider';
}

interface Association {
  /** Contents of the bit string, unused bits first. */
  readonly protocolVersion?: Uint8Array;
  readonly applicationContextName: ApplicationContextName;
  readonly mechanismName?: MechanismName;
  readonly implementationInformation?: Uint8Array;
  readonly userInformation?: UserInformation;
  /** Tags in hex, in the order received; the encoder follows it when it is given. */
  readonly fieldOrder?: readonly string[];
}

export interface Aarq extends Association {
  readonly apdu: 'aarq';
  readonly calledAPTitle?: Uint8Array;
  readonly calledAEQualifier?: Uint8Array;
  readonly calledAPInvocationId?: number;
  readonly calledAEInvocationId?: number;
  /** The client's system title. */
  readonly callingAPTitle?: Uint8Array;
  /** The client's certificate, with HLS ECDSA. */
  readonly callingAEQualifier?: Uint8Array;
  readonly callingAPInvocationId?: number;
  /** The client's user id. */
  readonly callingAEInvocationId?: number;
  readonly senderAcseRequirements?: Uint8Array;
  readonly callingAuthenticationValue?: AuthenticationValue;
}

export interface Aare extends Association {
  readonly apdu: 'aare';
  readonly result: CodeName;
  readonly resultSourceDiagnostic: ResultSourceDiagnostic;
  /** The server's system title. */
  readonly respondingAPTitle?: Uint8Array;
  readonly respondingAEQualifier?: Uint8Array;
  readonly respondingAPInvocationId?: number;
  readonly respondingAEInvocationId?: number;
  readonly responderAcseRequirements?: Uint8Array;
  readonly respondingAuthenticationValue?: AuthenticationValue;
}

export interface Release {
  readonly apdu: 'rlrq' | 'rlre';
  readonly reason?: string;
  readonly userInformation?: UserInformation;
  readonly fieldOrder?: readonly string[];
}
export interface Rlrq extends Release {
  readonly apdu: 'rlrq';
}
export interface Rlre extends Release {
  readonly apdu: 'rlre';
}

export type AcseApdu = Aarq | Aare | Rlrq | Rlre;
