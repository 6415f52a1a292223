/** The fleet as a file that `parseFleetFile` reads back: what is as usual is left out, what a template says too. */
import { isDeepStrictEqual } from 'node:util';
import { stringify } from 'yaml';
import { toHex } from '../core/bytes.ts';
import { type JsonValue, writeJson } from '../core/json.ts';
import { changedSettings, isSecret, settingNamed } from '../core/setting.ts';
import { DEFAULT_METER_SETTINGS, type MeterSecrets } from '../dlms/settings.ts';
import { DEFAULT_POINT_OPTIONS } from '../reading/point-options.ts';
import { keyedPointText } from '../reading/point-text.ts';
import { BRIDGE_SETTINGS, type BridgeSettings } from '../store/fleet/bridge-settings.ts';
import { connectionsOfBridge, wantedTargets } from '../store/fleet/load.ts';
import { changedTargetSettings } from '../store/fleet/target-settings.ts';
import type { Fleet, NewPoint, NewPointGroup, NewProfile } from '../store/fleet/types.ts';
import { type WholeMeter, wholeMeters } from '../store/fleet/whole.ts';
import { changedLineSettings } from '../transport/line-settings.ts';
import { SECRET_NAMES } from './fleet-file.ts';
import { writtenSettings } from './schema.ts';
import { type Template, templateReference } from './template.ts';

/** Finds templates by their names; null for one that is not there. */
export type TemplateFinder = (name: string) => Template | null;

export interface ExportOptions {
  /** Tokens, passwords and keys too, in clear. */
  readonly secrets: boolean;
  readonly templates: TemplateFinder;
}

/** Plain data in the form of the file. */
export function fleetDocument(fleet: Fleet, options: ExportOptions): { readonly [name: string]: JsonValue } {
  const gatewayTokens = new Map(connectionsOfBridge(fleet).map((one) => [one.targetId, one.token]));
  const lines = fleet.lines
    .map(({ link, settings }) => ({ link, settings: changedLineSettings(settings) }))
    .filter(({ settings }) => Object.keys(settings).length > 0);
  const settings = shownSettings(fleet, options);
  return {
    ...(Object.keys(settings).length === 0 ? {} : { settings }),
    targets: wantedTargets(fleet).map(({ id, name, url, mode, protocol, caFile, settings }) => ({
      name,
      url,
      mode,
      protocol,
      ...(caFile === null ? {} : { ca: caFile }),
      ...(settings === undefined ? {} : { settings: changedTargetSettings(settings) }),
      ...(options.secrets ? { token: gatewayTokens.get(id) } : {}),
    })),
    ...(lines.length === 0 ? {} : { lines }),
    meters: wholeMeters(fleet).map((meter) => meterDocument(meter, options)),
  };
}

/** Of the bridge; where secrets are not wanted, those are left out. */
function shownSettings({ settings }: Fleet, { secrets }: ExportOptions): Partial<BridgeSettings> {
  const shown = Object.entries(changedSettings(BRIDGE_SETTINGS, settings)).filter(
    ([name]) => secrets || !isSecret(settingNamed(BRIDGE_SETTINGS, name)),
  );
  return Object.fromEntries(shown) as Partial<BridgeSettings>;
}

export function fleetYaml(document: { readonly [name: string]: JsonValue }): string {
  return stringify(document, { lineWidth: 0, aliasDuplicateObjects: false });
}

export function fleetJson(document: { readonly [name: string]: JsonValue }): string {
  return `${writeJson(document, 2)}\n`;
}

/** The template that a meter is still exactly like; null when it has groups or profiles of its own. */
export function templateOf({ template, groups, profiles }: WholeMeter, find: TemplateFinder): Template | null {
  const [name] = template?.split('@') ?? [];
  const known = name === undefined ? null : find(name);
  if (known === null || templateReference(known) !== template) return null;
  const isSame = isDeepStrictEqual(known.groups.map(groupDocument), groups.map(groupDocument));
  return isSame && isDeepStrictEqual(known.profiles.map(profileDocument), profiles.map(profileDocument)) ? known : null;
}

/** Secrets that there are, as the file has them. */
export function secretTexts(secrets: MeterSecrets): { readonly [name: string]: string } {
  return Object.fromEntries(
    SECRET_NAMES.flatMap((name) => {
      const octets = secrets[name];
      // Only the password may be text: `hex:` tells that it is none. Keys are hex anyway.
      return octets === null ? [] : [[name, `${name === 'secret' ? 'hex:' : ''}${toHex(octets)}`]];
    }),
  );
}

export function pointOf({ options = DEFAULT_POINT_OPTIONS, ...point }: NewPoint): string {
  return keyedPointText({ ...point, options });
}

function backfillText(from: number | 'all'): string {
  return from === 'all' ? from : new Date(from).toISOString();
}

export function profileDocument({ obis, kind, intervalMs, columns, eventNames, prefix, backfillFrom }: NewProfile) {
  return {
    obis,
    kind,
    interval: intervalMs / 1000,
    ...(columns.length === 0 ? {} : { columns: columns.map(pointOf) }),
    ...(prefix === undefined ? {} : { prefix }),
    ...(backfillFrom === undefined ? {} : { backfill: backfillText(backfillFrom) }),
    ...(Object.keys(eventNames).length === 0 ? {} : { events: { ...eventNames } }),
  };
}

function meterDocument(meter: WholeMeter, { secrets, templates }: ExportOptions) {
  const known = templateOf(meter, templates);
  const texts = secretTexts(meter.secrets);
  return {
    name: meter.name,
    link: meter.link,
    ...(meter.enabled ? {} : { enabled: false }),
    ...(meter.template === null ? {} : { template: meter.template }),
    settings: { ...writtenSettings(meter.settings, { ...DEFAULT_METER_SETTINGS, ...known?.settings }) } as {
      readonly [name: string]: JsonValue;
    },
    ...(secrets && Object.keys(texts).length > 0 ? { secrets: texts } : {}),
    ...(secrets && meter.token !== undefined ? { token: meter.token } : {}),
    ...(known === null
      ? { groups: meter.groups.map(groupDocument), profiles: meter.profiles.map(profileDocument) }
      : {}),
  };
}

function groupDocument({ name, intervalMs, points }: NewPointGroup) {
  return { name, interval: intervalMs / 1000, points: points.map(pointOf) };
}
