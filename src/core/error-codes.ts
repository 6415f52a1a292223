/** The error taxonomy as data: one row per stable code. `docs/troubleshooting.md` has an entry for each of them. */
export type Fault = 'meter' | 'line' | 'credentials' | 'server' | 'config' | 'internal';

export type Layer =
  | 'cli'
  | 'config'
  | 'store'
  | 'transport'
  | 'mode-e'
  | 'hdlc'
  | 'wrapper'
  | 'mbus'
  | 'acse'
  | 'security'
  | 'axdr'
  | 'xdlms'
  | 'cosem'
  | 'meter'
  | 'line'
  | 'polling'
  | 'command'
  | 'mqtt'
  | 'thingsboard'
  | 'simulator'
  | 'daemon';

interface ErrorMeaning {
  readonly layer: Layer;
  readonly fault: Fault;
  readonly retryable: boolean;
  readonly hint: string;
}

const row = (layer: Layer, fault: Fault, retryable: boolean, hint: string): ErrorMeaning => ({
  layer,
  fault,
  retryable,
  hint,
});

export const ERROR_CODES = {
  // Bytes that do not say what they should.
  TRUNCATED: row(
    'axdr',
    'meter',
    true,
    'the bytes end too early: check the line, or that the whole message was captured',
  ),
  MALFORMED: row(
    'axdr',
    'meter',
    false,
    'the bytes do not follow the standard: keep a trace and compare with the meter manual',
  ),
  TRAILING_BYTES: row('axdr', 'meter', false, 'bytes are left over: the message may be cut wrongly or of another kind'),
  LIMIT_EXCEEDED: row(
    'axdr',
    'meter',
    false,
    'the message is larger or deeper than any real meter sends: it is refused',
  ),
  UNSUPPORTED: row(
    'xdlms',
    'config',
    false,
    'this is not implemented here: see the list of supported services in docs',
  ),
  CHECKSUM_WRONG: row(
    'hdlc',
    'line',
    true,
    'the line disturbs the bytes: check wiring, termination, baud rate and parity',
  ),

  // The line.
  LINE_CLOSED: row(
    'transport',
    'line',
    true,
    'the other side closed the connection: is another client connected to this meter?',
  ),
  NOT_DIALLED_IN: row(
    'transport',
    'line',
    true,
    'the meter dials in by itself: wait until it does, and check that it calls this host and port',
  ),
  UNKNOWN_CALLER: row(
    'line',
    'config',
    false,
    'who calls or pushes is no meter of this line: add it with `meter add`, and --identify says by what it is known',
  ),
  LINE_REFUSED: row(
    'transport',
    'line',
    true,
    'nothing listens there: check host and port, and that the meter or converter is on',
  ),
  LINE_UNREACHABLE: row(
    'transport',
    'line',
    true,
    'the address cannot be reached: check the network and the host name',
  ),
  LINE_OPEN_TIMEOUT: row('transport', 'line', true, 'connecting took too long: check host, port and firewall'),
  LINE_IO: row('transport', 'line', true, 'reading or writing the line failed: check the adapter and its cable'),
  SERIAL_PORT_MISSING: row(
    'transport',
    'line',
    true,
    'the serial port does not exist: is the adapter plugged in? Prefer a path below /dev/serial/by-id',
  ),
  SERIAL_PORT_BUSY: row(
    'transport',
    'line',
    true,
    'another program holds the serial port: stop it, or take another port',
  ),
  METER_SUSPENDED: row('line', 'config', false, 'an operator suspended this meter: `meter resume NAME` ends it'),
  SERIAL_PORT_DENIED: row(
    'transport',
    'config',
    false,
    'no permission for the serial port: add the user to the group dialout',
  ),

  // The link and the association.
  METER_TIMEOUT: row(
    'meter',
    'meter',
    true,
    'the meter did not answer: check address, client SAP, baud rate and framing, and that it has power',
  ),
  METER_GARBAGE: row(
    'meter',
    'line',
    true,
    'something answers, but not in this framing: check framing (HDLC or wrapper), baud rate and parity',
  ),
  WRONG_FRAMING: row(
    'meter',
    'config',
    false,
    'the meter speaks another framing: try tcp:// for wrapper or tcp+hdlc:// for HDLC',
  ),
  MODE_E_NOT_OFFERED: row(
    'mode-e',
    'config',
    false,
    'the meter answers the sign-on but offers no HDLC: try serial:// without sign-on; it may speak the ASCII protocol only',
  ),
  LINK_REFUSED: row(
    'hdlc',
    'meter',
    true,
    'the meter answered DM: it is busy with another client, or does not accept these parameters',
  ),
  LINK_LOST: row('hdlc', 'meter', true, 'the meter dropped the link (DM or FRMR): it is opened anew'),
  WRONG_ADDRESS: row(
    'hdlc',
    'config',
    false,
    'the answer carries other addresses: check --client, --server, --physical and --address-size',
  ),
  ASSOCIATION_REJECTED: row(
    'acse',
    'credentials',
    false,
    'the meter refused the association: check client SAP, authentication level and secret',
  ),
  AUTHENTICATION_FAILED: row(
    'acse',
    'credentials',
    false,
    'the password or key is wrong for this client SAP: check --secret and --auth',
  ),
  AUTHENTICATION_REQUIRED: row(
    'acse',
    'credentials',
    false,
    'the meter wants a higher authentication level: check --auth',
  ),
  CONTEXT_NOT_SUPPORTED: row(
    'acse',
    'config',
    false,
    'the meter wants another application context: check --referencing and --security',
  ),
  ASSOCIATION_LOST: row('acse', 'meter', true, 'the association is gone: it is made anew'),
  SERVICE_NOT_GRANTED: row(
    'xdlms',
    'config',
    false,
    'the meter did not grant this service in the association: another client SAP may have it',
  ),
  PDU_TOO_SMALL: row('xdlms', 'meter', false, 'the request does not fit the PDU size that the meter granted'),

  // Services.
  EXCEPTION_RESPONSE: row(
    'xdlms',
    'meter',
    false,
    'the meter refused the service: check the authentication level and the security policy',
  ),
  INVOCATION_COUNTER_WRONG: row(
    'security',
    'meter',
    true,
    'the meter expects a higher invocation counter: it is read again and the association made anew',
  ),
  COUNTER_UNKNOWN: row(
    'security',
    'config',
    false,
    'nobody knows which invocation counters of this system title were used: work with a database (dlms init), or leave out --system-title',
  ),
  COUNTER_EXHAUSTED: row(
    'security',
    'credentials',
    false,
    'every invocation counter of this key was used: change the block cipher key in the meter, then here',
  ),
  SERVICE_ERROR: row('xdlms', 'meter', false, 'the meter answered with a service error'),
  UNEXPECTED_RESPONSE: row(
    'xdlms',
    'meter',
    true,
    'the answer does not belong to the request: the association is made anew',
  ),
  DATA_ACCESS_HARDWARE_FAULT: row('xdlms', 'meter', false, 'the meter reports a hardware fault for this object'),
  DATA_ACCESS_TEMPORARY_FAILURE: row(
    'xdlms',
    'meter',
    true,
    'the meter cannot give this object just now: it is asked once more',
  ),
  DATA_ACCESS_READ_WRITE_DENIED: row(
    'xdlms',
    'credentials',
    false,
    'no right to this object, or a wrong authentication level: check --client and --auth',
  ),
  DATA_ACCESS_OBJECT_UNDEFINED: row(
    'xdlms',
    'config',
    false,
    'the meter has no such object: check the OBIS code with `scan`',
  ),
  DATA_ACCESS_OBJECT_CLASS_INCONSISTENT: row(
    'xdlms',
    'config',
    false,
    'the object has another class: check the class with `scan`',
  ),
  DATA_ACCESS_OBJECT_UNAVAILABLE: row('xdlms', 'meter', false, 'the object is not available in this meter'),
  DATA_ACCESS_TYPE_UNMATCHED: row('xdlms', 'config', false, 'the value has another type than the object'),
  DATA_ACCESS_SCOPE_VIOLATED: row('xdlms', 'credentials', false, 'the object is outside the scope of this association'),
  DATA_ACCESS_DATA_BLOCK_UNAVAILABLE: row('xdlms', 'meter', true, 'the meter lost the block: the request is repeated'),
  DATA_ACCESS_LONG_GET_ABORTED: row(
    'xdlms',
    'meter',
    true,
    'the meter broke off the block transfer: the request is repeated',
  ),
  DATA_ACCESS_NO_LONG_GET: row(
    'xdlms',
    'meter',
    true,
    'no block transfer is under way in the meter: the request is repeated',
  ),
  DATA_ACCESS_LONG_SET_ABORTED: row(
    'xdlms',
    'meter',
    true,
    'the meter broke off the block transfer: the request is repeated',
  ),
  DATA_ACCESS_NO_LONG_SET: row(
    'xdlms',
    'meter',
    true,
    'no block transfer is under way in the meter: the request is repeated',
  ),
  DATA_ACCESS_DATA_BLOCK_NUMBER_INVALID: row(
    'xdlms',
    'meter',
    true,
    'the meter expected another block number: the request is repeated',
  ),
  VALUE_TYPE_MISMATCH: row(
    'polling',
    'config',
    false,
    'the meter gives another kind of value than the point is told to have: change its type with `meter edit`',
  ),
  DATA_ACCESS_OTHER_REASON: row('xdlms', 'meter', false, 'the meter refuses this object without saying why'),

  // Security.
  SECURITY_UNSUPPORTED: row('security', 'config', false, 'this kind of protection is not supported here'),
  DECRYPT_FAILED: row(
    'security',
    'credentials',
    false,
    'the keys or the system title do not fit these bytes: check the block cipher key, the authentication key and the system title',
  ),
  PROTECTION_MISSING: row(
    'security',
    'meter',
    false,
    'the meter answers with less protection than --security asks for: check its security policy, or somebody is in between',
  ),
  KEY_MISSING: row(
    'security',
    'credentials',
    false,
    'a key is needed for this: give the block cipher key and the authentication key; --accept-unverified opens without the latter',
  ),
  PUSH_NOT_PROTECTED: row(
    'security',
    'meter',
    false,
    'the push is protected less than the meter is configured for: set the push setup of the meter, or --security',
  ),
  REPLAYED: row(
    'security',
    'meter',
    true,
    'an old message was sent again, or the meter lost its invocation counter: the message is not used',
  ),
  SIGNATURE_WRONG: row(
    'security',
    'credentials',
    false,
    'the signature does not fit: check the public key of the signer',
  ),

  // What a person wrote.
  USAGE: row('cli', 'config', false, 'see --help'),
  OUTPUT_FAILED: row(
    'cli',
    'config',
    true,
    'what was printed is not complete: make room where it goes to, then do it again',
  ),
  INVALID_VALUE: row('config', 'config', false, 'correct the value; nothing was changed'),
  INVALID_LINK: row(
    'config',
    'config',
    false,
    'a link is tcp://HOST:PORT, tcp+hdlc://HOST:PORT, udp://HOST:PORT, serial:///dev/... or serial+e:///dev/...',
  ),
  INVALID_POINT: row(
    'config',
    'config',
    false,
    'a point is written [CLASS:]OBIS[:ATTRIBUTE], for example 1.0.1.8.0.255 or 3:1-0:1.8.0:2',
  ),
  FILE_INVALID: row(
    'config',
    'config',
    false,
    'correct what stands at the lines named, and try again: nothing was changed',
  ),
  SECRET_UNREADABLE: row(
    'config',
    'config',
    false,
    'the file or environment variable that should hold the secret cannot be read',
  ),
  NOT_FOUND: row('config', 'config', false, 'there is nothing of that name: look with the list command'),
  ALREADY_EXISTS: row(
    'config',
    'config',
    false,
    'there is one of that name already: take another name, or remove that one first',
  ),
  DUPLICATE_KEY: row(
    'config',
    'config',
    false,
    'one telemetry key may stand once per meter: give one of the two points another key',
  ),
  DUPLICATE_TOKEN: row(
    'config',
    'config',
    false,
    'this token is in use by another meter or connection: each token may have one MQTT session',
  ),
  NOT_INITIALISED: row('config', 'config', false, 'there is no configuration yet: run `dlms init`'),

  // The database.
  DATABASE_MISSING: row('store', 'config', false, 'there is no database there: run `dlms init`, or give --db'),
  DATABASE_LOCKED: row(
    'store',
    'config',
    true,
    'another process holds the database for longer than allowed: see who with `fuser`',
  ),
  DATABASE_FULL: row(
    'store',
    'config',
    true,
    'the disk is full: free some space; readings are kept back until it can be written again',
  ),
  PROVISION_NOT_FOUND: row(
    'mqtt',
    'credentials',
    false,
    'compare key and secret with the device profile, and see that its provisioning is on',
  ),
  PROVISION_FAILED: row(
    'mqtt',
    'server',
    false,
    'a device of this name may be there already, also from a try before: give its access token with --token, delete it, or take another --provision-name',
  ),
  OUTBOX_FULL: row(
    'store',
    'server',
    true,
    'delivery is behind: see `status`; polls go on by themselves, or set another limit or policy with `target edit`',
  ),
  DATABASE_CORRUPT: row(
    'store',
    'internal',
    false,
    'the database is damaged: the next start of the daemon repairs it from a backup, `dlms restore` by hand',
  ),
  DATABASE_TOO_NEW: row(
    'store',
    'config',
    false,
    'the database was written by a newer version of this program: install that version',
  ),
  DATABASE_TOO_OLD: row(
    'store',
    'config',
    false,
    'the database is of an older version and was opened for reading only: any command that writes, or the daemon, brings it up to date',
  ),
  DATABASE_DENIED: row(
    'store',
    'config',
    false,
    'no permission for the database or its directory: check owner and mode, and whether the disk is mounted read-only',
  ),
  DATABASE_ERROR: row('store', 'internal', true, 'the database refused the operation'),
  DAEMON_ALREADY_RUNNING: row(
    'store',
    'config',
    false,
    'another daemon works on this database: stop it first, it may run as a service or in another terminal',
  ),
  SEALING_KEY_WRONG: row(
    'store',
    'config',
    false,
    'the key file does not fit this database: put back the key file it was made with',
  ),
  SEALING_KEY_MISSING: row(
    'store',
    'config',
    false,
    'the key file is not there: put it back beside the database, or pass it as the credential dlms.key',
  ),
  SEALING_KEY_UNSAFE: row('store', 'config', false, 'the key file can be read by others: chmod 600 it'),

  // Image transfer.
  IMAGE_TRANSFER_FAILED: row(
    'meter',
    'meter',
    true,
    'the meter does not take the image: look at the line, and try again with --resume',
  ),
  IMAGE_REJECTED: row(
    'meter',
    'config',
    false,
    'the meter finds the image wrong: check that the file and its identifier are for this meter',
  ),

  KEY_CHANGE_FAILED: row(
    'meter',
    'credentials',
    false,
    'the new key opens no association: check the master key (KEK), and keep the old key',
  ),

  // ThingsBoard.
  MQTT_UNREACHABLE: row(
    'mqtt',
    'server',
    true,
    'the broker cannot be reached: check URL, network and that ThingsBoard runs; readings are kept',
  ),
  MQTT_TLS: row(
    'mqtt',
    'config',
    true,
    'no trusted TLS connection to the broker: check the certificate, the host name in it, and --ca',
  ),
  MQTT_PROTOCOL_REFUSED: row(
    'mqtt',
    'config',
    false,
    'the server does not speak this version of MQTT: try --protocol 3.1.1',
  ),
  MQTT_CREDENTIALS: row(
    'mqtt',
    'credentials',
    false,
    'ThingsBoard refuses the token: check it in the device credentials',
  ),
  MQTT_SERVER_UNAVAILABLE: row('mqtt', 'server', true, 'ThingsBoard is busy or starting: it is tried again later'),
  MQTT_CONFLICT: row('mqtt', 'config', true, 'another client uses the same access token: find and stop it'),
  MQTT_CLOSED: row('mqtt', 'server', true, 'the connection to the broker was closed: it is opened again'),
  MQTT_MALFORMED: row(
    'mqtt',
    'server',
    true,
    'what answers there does not speak MQTT: check host and port of the URL, and what stands between (proxy, load balancer)',
  ),
  MQTT_ACK_TIMEOUT: row('mqtt', 'server', true, 'the broker did not acknowledge in time: the message is sent again'),
  MQTT_REFUSED: row('mqtt', 'server', false, 'the server refused the message: it is set aside with the reason'),

  // Ourselves.
  COMMAND_OUTCOME_UNKNOWN: row(
    'command',
    'line',
    false,
    'it may have acted on the meter or not, and is not repeated by itself: read the meter, then decide',
  ),
  COMMAND_INTERRUPTED: row('command', 'internal', true, 'the daemon ended while it worked on this: ask again'),
  COMMAND_EXPIRED: row(
    'command',
    'line',
    true,
    'the meter had no time for it before the deadline: see `dlms status` for its line, or give a longer --deadline',
  ),
  COMMAND_CANCELLED: row('command', 'config', true, 'somebody cancelled it before it began'),
  LINE_HELD: row(
    'line',
    'config',
    false,
    'name the stored meter instead of the link: the daemon then does it between its polls',
  ),
  INTERRUPTED: row('cli', 'config', true, 'stopped by a signal'),
  WEBHOOK_UNREACHABLE: row(
    'daemon',
    'server',
    true,
    'it is tried again: can this host reach the address of `alertWebhook`, and is the receiver well?',
  ),
  WEBHOOK_REFUSED: row(
    'daemon',
    'config',
    false,
    'compare `alertWebhook` with what the receiver wants: its address as it is now, and its token',
  ),
  STOPPING: row('daemon', 'internal', true, 'the daemon is stopping'),
  INTERNAL: row('daemon', 'internal', false, 'a fault of this program: please report it with the log'),
} as const satisfies Record<string, ErrorMeaning>;

export type ErrorCode = keyof typeof ERROR_CODES;
