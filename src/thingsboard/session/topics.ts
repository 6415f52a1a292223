/** The topics of ThingsBoard's device and gateway APIs. */
export const DEVICE_TELEMETRY = 'v1/devices/me/telemetry';
export const GATEWAY_TELEMETRY = 'v1/gateway/telemetry';
/** Client attributes: `{key: value}`; behind a gateway `{"A": {key: value}}`. */
export const DEVICE_ATTRIBUTES = 'v1/devices/me/attributes';
export const GATEWAY_ATTRIBUTES = 'v1/gateway/attributes';
/** Shared attributes: pushed on the topics above, asked for on these; a request's id follows, or is in its payload. */
export const ATTRIBUTE_REQUEST = 'v1/devices/me/attributes/request/';
export const ATTRIBUTE_RESPONSE = 'v1/devices/me/attributes/response/';
export const ATTRIBUTE_RESPONSES = `${ATTRIBUTE_RESPONSE}+`;
export const GATEWAY_ATTRIBUTE_REQUEST = 'v1/gateway/attributes/request';
export const GATEWAY_ATTRIBUTE_RESPONSE = 'v1/gateway/attributes/response';
/** `{"device","type"}`: names the device profile before telemetry would create the device under `default`. */
export const GATEWAY_CONNECT = 'v1/gateway/connect';
/** Client RPC: a request's id follows, its answer comes under the same one. */
export const RPC_REQUEST = 'v1/devices/me/rpc/request/';
export const RPC_RESPONSE = 'v1/devices/me/rpc/response/';
export const RPC_RESPONSES = `${RPC_RESPONSE}+`;
/** Server RPC; the names of devices behind a gateway are told to the gateway's own device so. */
export const SERVER_RPC = 'v1/devices/me/rpc/request/';
export const SERVER_RPCS = `${SERVER_RPC}+`;
/** Provisioning, within a session whose user name is `provision`. */
export const PROVISION_REQUEST = '/provision/request';
export const PROVISION_RESPONSE = '/provision/response';
