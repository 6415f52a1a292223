/** The compiled program, as users run it: under the loader of the tests every import costs a look-up, which distorts figures. */
import { pathToFileURL } from 'node:url';

const DIST = new URL('../../dist/', import.meta.url);

/** A module of `dist`, by its path there; `npm run bench` builds it. */
export function built<Module>(path: string): Promise<Module> {
  return import(/* @vite-ignore */ pathToFileURL(new URL(path, DIST).pathname).href) as Promise<Module>;
}
