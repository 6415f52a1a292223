/** What clients may change for its own sake: the relay, class 70 (Blue Book 4.5.8), and octets that are there to be written. */
import type { Data } from '../../dlms/axdr/data.ts';
import { CONTROL_STATE, type ControlState, EVENT } from './meter-state.ts';
import {
  DONE,
  dataObject,
  logicalName,
  type MeterContext,
  type Method,
  type ObjectDefinition,
  RESULT,
  type ResultCode,
} from './object-model.ts';

export const DISCONNECT_CONTROL_OBIS = '0.0.96.3.10.255';
export const NOTES_OBIS = '0.0.96.50.0.255';
/** Octets that the notes hold: enough for many blocks. */
export const LONGEST_NOTES = 8192;

/** Remote disconnection and reconnection without anyone pressing a button. */
const CONTROL_MODE = 4;

export const DISCONNECT_CONTROL: ObjectDefinition = {
  classId: 70,
  version: 0,
  obis: DISCONNECT_CONTROL_OBIS,
  attributes: [
    logicalName(DISCONNECT_CONTROL_OBIS),
    ({ state }) => ({ type: 'boolean', value: state.controlState === CONTROL_STATE.connected }),
    ({ state }) => ({ type: 'enum', value: state.controlState }),
    () => ({ type: 'enum', value: CONTROL_MODE }),
  ],
  methods: 2,
  calls: {
    1: movedTo(CONTROL_STATE.disconnected, EVENT.remoteDisconnection),
    2: movedTo(CONTROL_STATE.connected, EVENT.remoteConnection),
  },
  isPublic: false,
  scaler: null,
};

/** Doing what is done already is no fault, but no event either. */
function movedTo(controlState: ControlState, event: number): Method {
  return ({ state, at }) => {
    if (state.controlState !== controlState) state.log(at, event);
    state.controlState = controlState;
    return DONE;
  };
}

export const NOTES: ObjectDefinition = {
  ...dataObject(NOTES_OBIS, ({ state }) => ({ type: 'octet-string', value: state.notes })),
  writes: { 2: writeNotes },
};

function writeNotes({ state }: MeterContext, value: Data): ResultCode {
  if (value.type !== 'octet-string') return RESULT.typeUnmatched;
  if (value.value.length > LONGEST_NOTES) return RESULT.otherReason;
  // A copy: what was decoded is a view of the octets received.
  state.notes = value.value.slice();
  return RESULT.success;
}
