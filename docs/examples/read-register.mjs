// Reads one register of a meter over TCP with the DLMS stack alone: node read-register.mjs HOST PORT
// The stack is sans I/O. This file owns the socket and the clock; the stack says what to send and what came of it.
import { randomBytes } from 'node:crypto';
import { connect } from 'node:net';
import {
  AssociationClient,
  cosemValue,
  DEFAULT_METER_SETTINGS,
  decimalText,
  GetExchange,
  NO_SECRETS,
  parseScalerUnit,
  unitSymbol,
  WrapperClientLink,
} from 'dlms-multi-meter/dlms';

const [host = '127.0.0.1', port = '4059'] = process.argv.slice(2);
const socket = connect(Number(port), host);
const link = new WrapperClientLink(DEFAULT_METER_SETTINGS);
const association = new AssociationClient({
  settings: DEFAULT_METER_SETTINGS,
  secrets: NO_SECRETS,
  random: randomBytes,
  takeCounter: () => {
    throw new Error('no ciphering here');
  },
  systemTitle: randomBytes(8),
});

/** Sends one APDU and waits for the answer; a link that fails, or five seconds of silence, ends the program. */
function exchange(apdu) {
  return new Promise((resolve, reject) => {
    const silence = setTimeout(() => finish(() => reject(new Error('the meter did not answer'))), 5000);
    const finish = (settle) => {
      clearTimeout(silence);
      socket.off('data', onData);
      settle();
    };
    const carryOut = ({ send, events }) => {
      for (const frame of send) socket.write(frame);
      for (const event of events) {
        if (event.kind === 'apdu' && !event.unsolicited) finish(() => resolve(event.apdu));
        if (event.kind === 'failed') finish(() => reject(event.error));
      }
    };
    const onData = (bytes) => carryOut(link.receive(bytes));
    socket.on('data', onData);
    carryOut(link.send(apdu));
  });
}

/** Goes on until the association says what came of it: block transfer takes several rounds. */
async function converse(first) {
  for (let send = first; ; ) {
    const step = association.receive(await exchange(send));
    if (step.event !== null) return step.event;
    send = step.send;
  }
}

link.connect();
const opened = await converse(association.open());
if (opened.kind !== 'associated') throw opened.error;

const energy = { classId: 3, instanceId: '1.0.1.8.0.255', accessSelection: null };
const get = new GetExchange([
  { ...energy, attributeId: 2 },
  { ...energy, attributeId: 3 },
]);
const answered = await converse(association.begin(get));
if (answered.kind !== 'answered') throw answered.error;
const [value, scalerUnit] = get.result.map((result) => ('data' in result ? result.data : null));
const { scaler, unit } = parseScalerUnit(scalerUnit) ?? { scaler: 0, unit: 255 };
console.log(decimalText(cosemValue(value, { scaler })), unitSymbol(unit) ?? '');

await converse(association.release());
socket.end();
