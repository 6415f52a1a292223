/** What a fleet file wants, worked out against what is stored: meters as the store takes them, and where each of them stands. */
import { asBridgeError, BridgeError } from '../core/errors.ts';
import { checkSettings, isSecret, settingNamed } from '../core/setting.ts';
import { DEFAULT_METER_SETTINGS, type MeterSecrets, type MeterSettings, NO_SECRETS } from '../dlms/settings.ts';
import type { FleetChange, WantedMeter, WantedTarget } from '../store/fleet/apply.ts';
import { BRIDGE_SETTINGS } from '../store/fleet/bridge-settings.ts';
import type { Fleet, NewPointGroup, NewProfile } from '../store/fleet/types.ts';
import { canonicalTargetUrl, validateMeter } from '../store/fleet/validate.ts';
import { type WholeMeter, wholeMeters } from '../store/fleet/whole.ts';
import { invalidFile, type ParsedFile, type Problem } from './document.ts';
import type { FileMeter, FileTarget, FleetFile } from './fleet-file.ts';
import { loadTemplate, type Template, templateReference } from './template.ts';

/** How secrets are read: that takes files and the environment, which are not looked into here. */
export interface SecretReaders {
  /** Octets of the secrets that are named. Throws SECRET_UNREADABLE, INVALID_VALUE. */
  secrets(texts: Readonly<Record<string, string>>): Partial<MeterSecrets>;
  /** A secret that is text. */
  token(text: string): string;
  /** Throws what the settings lack in secrets. */
  require(settings: MeterSettings, secrets: MeterSecrets): void;
}

type Path = readonly (string | number)[];

const DEFAULT_GROUP = 'default';
const DEFAULT_INTERVAL_MS = 60_000;

/** Throws FILE_INVALID with every place at which something is wrong. */
export function fleetChange(
  fileName: string,
  { value, problemAt }: ParsedFile<FleetFile>,
  fleet: Fleet,
  readers: SecretReaders,
): FleetChange {
  const problems: Problem[] = [];
  const attempt = <T>(path: Path, action: () => T): T | null => {
    try {
      return action();
    } catch (thrown) {
      const error = asBridgeError(thrown);
      if (error.fault !== 'config' && error.fault !== 'credentials') throw error;
      const [place, message] = thrown instanceof Misplaced ? [thrown.path, thrown.message] : [path, error.message];
      problems.push(problemAt(place, message));
      return null;
    }
  };
  refuseDoubles(value, (path, message) => problems.push(problemAt(path, message)));
  const stored = new Map(wholeMeters(fleet).map((meter) => [meter.name, meter]));
  const templates = new Map<string, Template>();
  const targets = value.targets.flatMap((target, index): WantedTarget[] => {
    const wanted = attempt(['targets', index], () => wantedTarget(target, readers));
    return wanted === null ? [] : [wanted];
  });
  const meters = value.meters.flatMap((meter, index): WantedMeter[] => {
    const path = ['meters', index];
    const wanted = attempt(path, () => wantedMeter(meter, path, stored.get(meter.name), templates, readers));
    return wanted === null ? [] : [wanted];
  });
  const settings = Object.entries(value.settings).flatMap(([name, given]) => {
    const wanted = attempt(['settings', name], () => wantedSetting(name, given, readers));
    return wanted === null ? [] : [[name, wanted.value]];
  });
  if (problems.length > 0) throw invalidFile(fileName, problems);
  const refused = (path: Path, error: BridgeError): BridgeError =>
    error.fault === 'config' ? invalidFile(fileName, [problemAt(path, error.message)]) : error;
  return { settings: Object.fromEntries(settings), targets, lines: value.lines, meters, refused };
}

/** A fault of one part of an entry. */
class Misplaced extends BridgeError {
  readonly path: Path;

  constructor(path: Path, error: BridgeError) {
    super('INVALID_VALUE', error.message, { cause: error });
    this.path = path;
  }
}

function at<T>(path: Path, action: () => T): T {
  try {
    return action();
  } catch (thrown) {
    throw new Misplaced(path, asBridgeError(thrown));
  }
}

function refuseDoubles({ targets, lines, meters }: FleetFile, tell: (path: Path, message: string) => void): void {
  const twice = (list: string, field: string, names: readonly string[]): void => {
    const seen = new Set<string>();
    for (const [index, name] of names.entries()) {
      if (seen.has(name)) tell([list, index, field], `"${name}" stands twice`);
      seen.add(name);
    }
  };
  twice(
    'targets',
    'name',
    targets.map(({ name }) => name),
  );
  twice(
    'lines',
    'link',
    lines.map(({ link }) => link),
  );
  twice(
    'meters',
    'name',
    meters.map(({ name }) => name),
  );
}

function wantedSetting(name: string, given: unknown, readers: SecretReaders): { readonly value: unknown } {
  const isText = typeof given === 'string' && isSecret(settingNamed(BRIDGE_SETTINGS, name));
  const value = isText ? readers.token(given) : given;
  checkSettings(BRIDGE_SETTINGS, { [name]: value });
  return { value };
}

function wantedTarget(
  { name, url, mode, protocol, ca, token, settings }: FileTarget,
  readers: SecretReaders,
): WantedTarget {
  const wanted = {
    name,
    url: canonicalTargetUrl(url),
    mode,
    protocol,
    caFile: ca,
    ...(settings === undefined ? {} : { settings }),
  };
  return token === undefined ? wanted : { ...wanted, token: readers.token(token) };
}

function wantedMeter(
  meter: FileMeter,
  path: Path,
  stored: WholeMeter | undefined,
  templates: Map<string, Template>,
  readers: SecretReaders,
): WantedMeter {
  const link = meter.link ?? stored?.link;
  if (link === undefined) throw new BridgeError('INVALID_VALUE', `the meter "${meter.name}" is new: it needs a link`);
  const expanded = expandedTemplate(meter, path, templates);
  const base =
    meter.settings === undefined && stored !== undefined
      ? { ...stored.settings, ...expanded?.settings }
      : { ...DEFAULT_METER_SETTINGS, ...expanded?.settings };
  const settings = { ...base, ...meter.settings, ...meter.changes } as MeterSettings;
  const given = Object.entries(meter.secrets ?? {}).filter(
    (entry): entry is [string, string] => entry[1] !== undefined,
  );
  for (const [secret, text] of given) {
    // A certificate is looked at together with its key, below.
    if (secret !== 'certificate') at([...path, 'secrets', secret], () => readers.secrets({ [secret]: text }));
  }
  const secrets = at([...path, 'secrets'], () => ({
    ...NO_SECRETS,
    ...stored?.secrets,
    ...readers.secrets(Object.fromEntries(given)),
  }));
  readers.require(settings, secrets);
  const token = meter.token === undefined ? undefined : at([...path, 'token'], () => readers.token(meter.token ?? ''));
  const wanted = {
    name: meter.name,
    link,
    settings,
    secrets,
    enabled: meter.enabled ?? stored?.enabled ?? true,
    ...planOf(meter, expanded, stored),
    ...(token === undefined ? {} : { token }),
  };
  validateMeter(wanted);
  return wanted;
}

/** The template that the entry leaves groups or profiles to; null when it only names where they came from. */
function expandedTemplate(meter: FileMeter, path: Path, templates: Map<string, Template>): Template | null {
  const { template, groups, profiles } = meter;
  if (template === undefined || (groups !== undefined && profiles !== undefined)) return null;
  const [, name = template, version] = /^(.*?)(?:@(\d+))?$/s.exec(template) ?? [];
  return at([...path, 'template'], () => {
    const found = templates.get(name) ?? loadTemplate(name);
    templates.set(name, found);
    if (version !== undefined && Number(version) !== found.version) {
      throw new BridgeError(
        'INVALID_VALUE',
        `the template "${name}" has version ${found.version} here, not ${version}`,
        {
          hint: 'leave out the version to take the one that is here',
        },
      );
    }
    return found;
  });
}

interface Plan {
  readonly groups: readonly NewPointGroup[];
  readonly profiles: readonly NewProfile[];
  readonly template: string | null;
}

function planOf(meter: FileMeter, expanded: Template | null, stored: WholeMeter | undefined): Plan {
  const { template, groups, profiles, points } = meter;
  if (template === undefined && groups === undefined && profiles === undefined && points === undefined) {
    if (stored !== undefined) return { groups: stored.groups, profiles: stored.profiles, template: stored.template };
    throw new BridgeError('INVALID_VALUE', `the meter "${meter.name}" is new: it needs a template, groups or points`);
  }
  const reference = expanded === null ? (template ?? null) : templateReference(expanded);
  return {
    template: reference,
    groups: withPoints(groups ?? expanded?.groups ?? [], meter),
    profiles: profiles ?? expanded?.profiles ?? [],
  };
}

/** `points` of the entry take the place of those with their keys; new ones are a group of their own. */
function withPoints(groups: readonly NewPointGroup[], { points = [], interval }: FileMeter): readonly NewPointGroup[] {
  const given = new Map(points.map((point) => [point.key, point]));
  const known = new Set(groups.flatMap((group) => group.points.map(({ key }) => key)));
  const merged = groups.map((group) => ({
    ...group,
    points: group.points.map((point) => given.get(point.key) ?? point),
  }));
  const left = points.filter(({ key }) => !known.has(key));
  if (left.length === 0) return merged;
  const intervalMs = interval ?? DEFAULT_INTERVAL_MS;
  return [{ name: DEFAULT_GROUP, intervalMs, points: left }, ...merged];
}
