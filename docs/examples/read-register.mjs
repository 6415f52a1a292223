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

/**
 * Goes on until the association says what came of it: block transfer takes several rounds. A link that fails, or five
 * seconds without a result, ends the program.
 */
function converse(first) {
  return new Promise((resolve, reject) => {
    const silence = setTimeout(() => finish(() => reject(new Error('the meter did not answer'))), 5000);
    const finish = (settle) => {
      clearTimeout(silence);
      socket.off('data', onData);
      settle();
    };
    const carryOut = (output) => {
      for (const frame of output.send) socket.write(frame);
      for (const event of output.events) {
        if (event.kind === 'apdu') take(association.receive(event.apdu));
        if (event.kind === 'failed') finish(() => reject(event.error));
      }
    };
    const take = ({ send, event }) => {
      const isOver = event !== null && event.kind !== 'block' && event.kind !== 'unsolicited';
      if (isOver) finish(() => resolve(event));
      else if (send.length === 0) carryOut(link.listen());
      else for (const apdu of send) carryOut(link.send(apdu));
    };
    const onData = (bytes) => carryOut(link.receive(bytes));
    socket.on('data', onData);
    take({ send: first, event: null });
  });
}

link.connect();
const opened = await converse([association.open()]);
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

await converse([association.release()]);
socket.end();
