/**
 * Alarm rules and device profiles as ThingsBoard takes them. Written after ThingsBoard's source, 4.2.2 for what is part of a
 * device profile, 4.3.1.3 for calculated fields: common/data, packages `device.profile`, `query`, `alarm.rule` and
 * `cf.configuration`. Strict: ThingsBoard passes a misspelt field by in silence.
 */
import { z } from 'zod';

const SEVERITIES = ['CRITICAL', 'MAJOR', 'MINOR', 'WARNING', 'INDETERMINATE'] as const;
const OPERATIONS = {
  NUMERIC: ['EQUAL', 'NOT_EQUAL', 'GREATER', 'LESS', 'GREATER_OR_EQUAL', 'LESS_OR_EQUAL'],
  BOOLEAN: ['EQUAL', 'NOT_EQUAL'],
  STRING: ['EQUAL', 'NOT_EQUAL', 'STARTS_WITH', 'ENDS_WITH', 'CONTAINS', 'NOT_CONTAINS', 'IN', 'NOT_IN'],
} as const;
const VALUES = { NUMERIC: z.number(), BOOLEAN: z.boolean(), STRING: z.string().min(1) } as const;
/** java.util.concurrent.TimeUnit, those that the user interface offers. */
const UNITS = ['SECONDS', 'MINUTES', 'HOURS', 'DAYS'] as const;
const TYPES = ['NUMERIC', 'BOOLEAN', 'STRING'] as const;
const uuid = z.string().regex(/^[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}$/);

/** A comparison of one of the types with a constant, or several joined. */
function predicate(constant: (value: z.ZodType) => z.ZodType): z.ZodType {
  const compared = TYPES.map((type) =>
    z.strictObject({
      type: z.literal(type),
      operation: z.enum(OPERATIONS[type]),
      value: constant(VALUES[type]),
      ...(type === 'STRING' ? { ignoreCase: z.boolean() } : {}),
    }),
  );
  const any: z.ZodType = z.lazy(() => z.union([...compared, complex]));
  const complex = z.strictObject({
    type: z.literal('COMPLEX'),
    operation: z.enum(['AND', 'OR']),
    predicates: z.array(any).min(2),
  });
  return any;
}

const oldConstant = (value: z.ZodType) =>
  z.strictObject({ defaultValue: value, userValue: z.null(), dynamicValue: z.null() });
const newConstant = (value: z.ZodType) => z.strictObject({ staticValue: value });
/** Of a filter on a dashboard: the same without `userValue`. */
const shownConstant = (value: z.ZodType) => z.strictObject({ defaultValue: value, dynamicValue: z.null() });

const PROPAGATION = {
  propagate: z.boolean(),
  propagateToOwner: z.boolean(),
  propagateToTenant: z.boolean(),
  propagateRelationTypes: z.null(),
};
const details = z.string().min(1).nullable();

const profileRule = z.strictObject({
  condition: z.strictObject({
    condition: z
      .array(
        z.strictObject({
          key: z.strictObject({ type: z.enum(['TIME_SERIES', 'ATTRIBUTE']), key: z.string().min(1) }),
          valueType: z.enum(TYPES),
          value: z.null(),
          predicate: predicate(oldConstant),
        }),
      )
      .min(1),
    spec: z.discriminatedUnion('type', [
      z.strictObject({ type: z.literal('SIMPLE') }),
      z.strictObject({
        type: z.literal('DURATION'),
        unit: z.enum(UNITS),
        predicate: oldConstant(z.number().int().positive()),
      }),
    ]),
  }),
  schedule: z.null(),
  alarmDetails: details,
  dashboardId: z.null(),
});

const profileAlarm = z.strictObject({
  id: uuid,
  alarmType: z.string().min(1).max(255),
  createRules: rulesOf(profileRule),
  clearRule: profileRule.nullable(),
  ...PROPAGATION,
});

function rulesOf<T extends z.ZodType>(rule: T) {
  return z.partialRecord(z.enum(SEVERITIES), rule).refine((rules) => Object.keys(rules).length > 0, 'no create rule');
}

const deviceProfile = z.strictObject({
  name: z.string().min(1).max(255),
  description: z.string(),
  image: z.null(),
  type: z.literal('DEFAULT'),
  transportType: z.literal('DEFAULT'),
  provisionType: z.literal('DISABLED'),
  // What these name has an id of the server that it came from: not in a file for others.
  defaultRuleChainId: z.null(),
  defaultDashboardId: z.null(),
  defaultQueueName: z.null(),
  provisionDeviceKey: z.null(),
  firmwareId: z.null(),
  softwareId: z.null(),
  defaultEdgeRuleChainId: z.null(),
  profileData: z.strictObject({
    configuration: z.strictObject({ type: z.literal('DEFAULT') }),
    transportConfiguration: z.strictObject({ type: z.literal('DEFAULT') }),
    provisionConfiguration: z.strictObject({ type: z.literal('DISABLED'), provisionDeviceSecret: z.null() }),
    alarms: z.array(profileAlarm).nullable(),
  }),
  // Only one profile of a tenant is the default.
  default: z.literal(false),
});

const fieldRule = z.strictObject({
  condition: z.discriminatedUnion('type', [
    z.strictObject({ type: z.literal('SIMPLE'), expression: expression() }),
    z.strictObject({
      type: z.literal('DURATION'),
      unit: z.enum(UNITS),
      value: newConstant(z.number().int().positive()),
      expression: expression(),
    }),
  ]),
  alarmDetails: details,
});

function expression() {
  const filter = z.strictObject({
    argument: z.string(),
    valueType: z.enum(TYPES),
    operation: z.enum(['AND', 'OR']),
    predicates: z.array(predicate(newConstant)).min(1),
  });
  return z.strictObject({
    type: z.literal('SIMPLE'),
    operation: z.enum(['AND', 'OR']),
    filters: z.array(filter).min(1),
  });
}

const alarmRule = z.strictObject({
  type: z.literal('ALARM'),
  name: z.string().min(1).max(255),
  debugSettings: z.strictObject({
    failuresEnabled: z.literal(false),
    allEnabled: z.literal(false),
    allEnabledUntil: z.literal(0),
  }),
  configuration: z.strictObject({
    type: z.literal('ALARM'),
    // The user interface asks for such names (charsWithNumRegex), and the details replace `${name}`.
    arguments: z.record(
      z.string().regex(/^[a-zA-Z_]+[a-zA-Z0-9_]*$/),
      z.strictObject({
        refEntityKey: z.union([
          z.strictObject({ key: z.string().min(1), type: z.literal('TS_LATEST') }),
          z.strictObject({ key: z.string().min(1), type: z.literal('ATTRIBUTE'), scope: z.literal('SERVER_SCOPE') }),
        ]),
      }),
    ),
    createRules: rulesOf(fieldRule),
    clearRule: fieldRule.nullable(),
    ...PROPAGATION,
  }),
});

export const keyFilterPredicate = predicate(shownConstant);

type DeviceProfile = z.infer<typeof deviceProfile>;
type AlarmRule = z.infer<typeof alarmRule>;
/** What a rule looks at. */
export interface WatchedKey {
  readonly key: string;
  readonly kind: 'timeseries' | 'attribute';
}

/** What is wrong with a device profile, in words; nothing for one that can be imported. */
export function deviceProfileFaults(document: unknown): string[] {
  const { data, error } = deviceProfile.safeParse(document);
  if (error !== undefined) return problems(error);
  const alarms = data.profileData.alarms ?? [];
  return [
    ...twice(alarms.map(({ alarmType }) => `alarm type ${alarmType}`)),
    ...twice(alarms.map(({ id }) => `id ${id}`)),
    ...alarms.flatMap(({ alarmType, createRules, clearRule }) =>
      [...Object.values(createRules), ...(clearRule === null ? [] : [clearRule])].flatMap((rule) =>
        rule.condition.condition.flatMap(({ predicate: one, valueType }) => otherTypes(one, valueType, alarmType)),
      ),
    ),
  ];
}

/** What is wrong with an alarm rule of 4.3, in words. */
export function alarmRuleFaults(document: unknown): string[] {
  const { data, error } = alarmRule.safeParse(document);
  if (error !== undefined) return problems(error);
  const filters = filtersOf(data);
  const names = Object.keys(data.configuration.arguments);
  const used = new Set(filters.map(({ argument }) => argument));
  return [
    ...filters.filter(({ argument }) => !names.includes(argument)).map(({ argument }) => `no argument ${argument}`),
    ...names.filter((name) => !used.has(name)).map((name) => `argument ${name} is not used`),
    ...filters.flatMap(({ predicates, valueType }) =>
      predicates.flatMap((one) => otherTypes(one, valueType, data.name)),
    ),
  ];
}

/** Throws for what is no device profile. */
export function watchedByProfile(document: unknown): WatchedKey[] {
  return (deviceProfile.parse(document).profileData.alarms ?? []).flatMap(({ createRules, clearRule }) =>
    [...Object.values(createRules), ...(clearRule === null ? [] : [clearRule])].flatMap((rule) =>
      rule.condition.condition.map(({ key: { key, type } }) => ({
        key,
        kind: type === 'TIME_SERIES' ? ('timeseries' as const) : ('attribute' as const),
      })),
    ),
  );
}

/** Throws for what is no alarm rule. */
export function watchedByRule(document: unknown): WatchedKey[] {
  return Object.values(alarmRule.parse(document).configuration.arguments).map(({ refEntityKey: { key, type } }) => ({
    key,
    kind: type === 'TS_LATEST' ? 'timeseries' : 'attribute',
  }));
}

export function profileAlarmTypes(document: unknown): string[] {
  const { alarms }: DeviceProfile['profileData'] = deviceProfile.parse(document).profileData;
  return (alarms ?? []).map(({ alarmType }) => alarmType);
}

function filtersOf({ configuration: { createRules, clearRule } }: AlarmRule) {
  return [...Object.values(createRules), ...(clearRule === null ? [] : [clearRule])].flatMap(
    ({ condition }) => condition.expression.filters,
  );
}

/** A predicate has the type of the value that it is asked of, in every branch. */
function otherTypes(one: unknown, valueType: string, where: string): string[] {
  const { type, predicates } = one as { readonly type: string; readonly predicates?: readonly unknown[] };
  if (predicates !== undefined) return predicates.flatMap((inner) => otherTypes(inner, valueType, where));
  return type === valueType ? [] : [`${where}: a ${type} predicate of a ${valueType} value`];
}

export function problems(error: z.ZodError): string[] {
  return error.issues.map(({ path, message }) => `${path.join('.')}: ${message}`);
}

export function twice(names: readonly string[]): string[] {
  return names.filter((name, index) => names.indexOf(name) !== index).map((name) => `${name} stands twice`);
}
