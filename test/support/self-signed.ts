/** Certificates that expire when a test wants them to, made with openssl. */
import { spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';

export interface SelfSigned {
  /** PEM. */
  readonly certificate: string;
  readonly key: string;
  /** Where the certificate lies. */
  readonly file: string;
}

/** A self-signed certificate for a host of this name, in a directory. */
export function selfSigned(directory: string, name: string, days: number): SelfSigned {
  const [keyFile, file] = [join(directory, `${name}.key`), join(directory, `${name}.pem`)];
  const subject = ['-subj', `/CN=${name}`, '-addext', `subjectAltName=DNS:${name}`];
  const curve = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes'];
  spawnSync('openssl', ['req', '-x509', '-days', String(days), ...curve, '-keyout', keyFile, '-out', file, ...subject]);
  return { certificate: readFileSync(file, 'utf8'), key: readFileSync(keyFile, 'utf8'), file };
}
