/** One implementation of every verb, for the command line without a daemon and for the daemon. */
import { call } from './call.ts';
import { clock } from './clock.ts';
import { profile } from './profile.ts';
import { readOnce } from './read.ts';
import { relay } from './relay.ts';
import type { MeterRequest } from './requests.ts';
import { scan } from './scan.ts';
import { set } from './set.ts';
import { testPoints } from './test-points.ts';
import type { MeterWork, ResultDocument } from './work.ts';

/** Does what is asked; resolves with the document of the result, its rows perhaps given in portions before. */
export async function perform(work: MeterWork, request: MeterRequest): Promise<ResultDocument> {
  switch (request.verb) {
    case 'read':
      return { ...(await readOnce(work, request)) };
    case 'test':
      return { ...(await testPoints(work, request)) };
    case 'scan':
      return { ...(await scan(work)) };
    case 'profile':
      return { ...(await profile(work, request)) };
    case 'set':
      return { ...(await set(work, request)) };
    case 'call':
      return { ...(await call(work, request)) };
    case 'clock':
      return { ...(await clock(work, request)) };
    case 'relay':
      return { ...(await relay(work, request)) };
  }
}
