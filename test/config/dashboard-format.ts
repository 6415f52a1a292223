/**
 * Dashboards as ThingsBoard's user interface takes them. Written after the source of 4.3.1.3 and compared with 3.7:
 * ui-ngx/src/app/shared/models (dashboard, widget, alias, query/query and time/time .models.ts) and
 * core/services/dashboard-utils.service.ts (validateAndUpdateDashboard). Strict: a misspelt field is passed by in silence.
 */
import { z } from 'zod';
import { keyFilterPredicate, problems, twice } from './alarm-formats.ts';
import { WIDGET_TYPES } from './widget-types.ts';

const COLUMNS = 24;

const uuid = z.string().regex(/^[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}$/);
const name = z.string().min(1);
const natural = z.number().int().min(0);

/** `post` functions run in the browser of whoever looks: what is no function there shows nothing. */
const functionBody = (...parameters: readonly string[]) =>
  z.string().refine((body) => compiles(parameters, body), 'the body of no function');

function compiles(parameters: readonly string[], body: string): boolean {
  try {
    new Function(...parameters, body);
    return true;
  } catch {
    return false;
  }
}

const keySettings = z.union([
  z.strictObject({}),
  z.strictObject({ type: z.literal('bar') }),
  z.strictObject({
    type: z.literal('line'),
    lineSettings: z.strictObject({ step: z.boolean(), stepType: z.enum(['start', 'middle', 'end']) }),
  }),
  z.strictObject({
    useCellContentFunction: z.boolean(),
    cellContentFunction: functionBody('value', 'entity', 'ctx').nullable(),
    useCellStyleFunction: z.boolean(),
    cellStyleFunction: functionBody('value', 'entity', 'ctx').nullable(),
  }),
]);

const dataKey = z
  .strictObject({
    name,
    type: z.enum(['timeseries', 'attribute', 'alarm', 'count']),
    label: name,
    color: z.string().regex(/^#[0-9a-f]{6}$/),
    settings: keySettings,
    units: z.string().nullable(),
    decimals: z.number().int().min(0).max(15).nullable(),
    usePostProcessing: z.boolean(),
    postFuncBody: functionBody('time', 'value', 'prevValue', 'timePrev', 'prevOrigValue').nullable(),
    _hash: z.number(),
  })
  .refine(
    ({ usePostProcessing, postFuncBody }) => usePostProcessing === (postFuncBody !== null),
    'usePostProcessing and postFuncBody do not agree',
  );

const alarmFilterConfig = z.strictObject({
  statusList: z.array(z.enum(['ACTIVE', 'CLEARED', 'ACK', 'UNACK'])),
  severityList: z.array(z.enum(['CRITICAL', 'MAJOR', 'MINOR', 'WARNING', 'INDETERMINATE'])),
  typeList: z.array(name),
  searchPropagatedAlarms: z.boolean(),
});

const datasource = z.strictObject({
  type: z.enum(['entity', 'entityCount', 'alarmCount']),
  name: z.null(),
  entityAliasId: uuid,
  filterId: uuid.nullable(),
  dataKeys: z.array(dataKey).min(1),
  alarmFilterConfig: alarmFilterConfig.optional(),
});

const timewindow = z.strictObject({
  hideAggregation: z.boolean(),
  hideAggInterval: z.boolean(),
  // 0: real time.
  selectedTab: z.literal(0),
  realtime: z.union([
    z.strictObject({ realtimeType: z.literal(0), timewindowMs: natural.positive(), interval: natural.positive() }),
    z.strictObject({
      realtimeType: z.literal(1),
      quickInterval: z.enum(['CURRENT_DAY_SO_FAR', 'CURRENT_WEEK_ISO_SO_FAR', 'CURRENT_MONTH_SO_FAR']),
      interval: natural.positive(),
    }),
  ]),
  aggregation: z.strictObject({
    type: z.enum(['MIN', 'MAX', 'AVG', 'SUM', 'COUNT', 'NONE']),
    limit: natural.positive(),
  }),
});

const action = z.strictObject({
  id: uuid,
  name,
  icon: name,
  type: z.literal('openDashboardState'),
  targetDashboardStateId: name,
  setEntityId: z.boolean(),
  stateEntityParamName: z.null(),
  openRightLayout: z.boolean(),
  openInSeparateDialog: z.boolean(),
  openInPopover: z.boolean(),
});

const widget = z.strictObject({
  id: uuid,
  typeFullFqn: z.enum(Object.keys(WIDGET_TYPES)),
  type: z.enum(['latest', 'timeseries', 'alarm']),
  sizeX: natural.positive(),
  sizeY: natural.positive(),
  row: natural,
  col: natural,
  config: z.strictObject({
    title: name,
    showTitle: z.boolean(),
    titleStyle: z.record(z.string(), z.union([z.string(), z.number()])),
    dropShadow: z.boolean(),
    enableFullscreen: z.boolean(),
    backgroundColor: name,
    color: name,
    padding: name,
    units: z.string().nullable().optional(),
    decimals: natural.nullable().optional(),
    useDashboardTimewindow: z.boolean().optional(),
    displayTimewindow: z.boolean().optional(),
    timewindow: timewindow.optional(),
    settings: z.record(z.string(), z.unknown()),
    actions: z.record(z.string(), z.array(action)),
    datasources: z.array(datasource),
    alarmSource: datasource.optional(),
    alarmFilterConfig: alarmFilterConfig.optional(),
  }),
});

const layout = z.strictObject({
  widgets: z.record(
    uuid,
    z.strictObject({ sizeX: natural.positive(), sizeY: natural.positive(), row: natural, col: natural }),
  ),
  gridSettings: z.strictObject({
    layoutType: z.literal('default'),
    backgroundColor: name,
    columns: z.literal(COLUMNS),
    margin: natural,
    outerMargin: z.boolean(),
    backgroundSizeMode: name,
    autoFillHeight: z.boolean(),
    mobileAutoFillHeight: z.boolean(),
    mobileRowHeight: natural,
  }),
});

const alias = z.strictObject({
  id: uuid,
  alias: name,
  filter: z.union([
    z.strictObject({
      type: z.literal('deviceType'),
      deviceTypes: z.array(z.enum(['dlms-meter', 'dlms-bridge'])).min(1),
      deviceNameFilter: z.string(),
      resolveMultiple: z.boolean(),
    }),
    z.strictObject({
      type: z.literal('stateEntity'),
      stateEntityParamName: z.null(),
      defaultStateEntity: z.null(),
      resolveMultiple: z.literal(false),
    }),
  ]),
});

const keyFilter = z.strictObject({
  id: uuid,
  filter: name,
  editable: z.boolean(),
  keyFilters: z
    .array(
      z.strictObject({
        key: z.strictObject({ type: z.enum(['ATTRIBUTE', 'TIME_SERIES']), key: name }),
        valueType: z.enum(['STRING', 'NUMERIC', 'BOOLEAN']),
        predicates: z
          .array(
            z.strictObject({
              keyFilterPredicate,
              userInfo: z.strictObject({
                editable: z.boolean(),
                label: z.string(),
                autogeneratedLabel: z.boolean(),
                order: natural,
              }),
            }),
          )
          .min(1),
      }),
    )
    .min(1),
});

const dashboard = z.strictObject({
  title: name,
  name,
  image: z.null(),
  mobileHide: z.boolean(),
  mobileOrder: z.null(),
  configuration: z.strictObject({
    description: z.string(),
    widgets: z.record(uuid, widget),
    states: z.record(name, z.strictObject({ name, root: z.boolean(), layouts: z.strictObject({ main: layout }) })),
    entityAliases: z.record(uuid, alias),
    filters: z.record(uuid, keyFilter),
    timewindow,
    settings: z.strictObject({
      stateControllerId: z.literal('entity'),
      showTitle: z.boolean(),
      showDashboardsSelect: z.boolean(),
      showEntitiesSelect: z.boolean(),
      showDashboardTimewindow: z.boolean(),
      showDashboardExport: z.boolean(),
      showFilters: z.boolean(),
      toolbarAlwaysOpen: z.boolean(),
      titleColor: name,
    }),
  }),
});

export type Dashboard = z.infer<typeof dashboard>;
type Widget = z.infer<typeof widget>;

/** Throws for what is no dashboard. */
export function dashboardOf(document: unknown): Dashboard {
  return dashboard.parse(document);
}

export function datasourcesOf({ config: { datasources, alarmSource } }: Widget) {
  return alarmSource === undefined ? datasources : [...datasources, alarmSource];
}

/** What is wrong with a dashboard, in words; nothing for one that can be imported and shows what it should. */
export function dashboardFaults(document: unknown): string[] {
  const { data, error } = dashboard.safeParse(document);
  if (error !== undefined) return problems(error);
  const { widgets, states, entityAliases, filters } = data.configuration;
  const all = Object.values(widgets);
  const keys = all.flatMap(datasourcesOf).flatMap(({ dataKeys }) => dataKeys);
  const actions = all.flatMap(({ config }) => Object.values(config.actions).flat());
  const placed = Object.values(states).flatMap(({ layouts }) => Object.keys(layouts.main.widgets));
  const roots = Object.values(states).filter(({ root }) => root);
  const named = [...Object.entries(widgets), ...Object.entries(entityAliases), ...Object.entries(filters)];
  return [
    ...named.filter(([id, one]) => id !== one.id).map(([id]) => `${id} has another id inside`),
    ...twice([...named, ...actions.map((one) => [one.id, one] as const)].map(([id]) => `id ${id}`)),
    ...twice(keys.map(({ _hash }) => `_hash ${_hash}`)),
    ...(roots.length === 1 ? [] : [`${roots.length} states are the root`]),
    ...placed.filter((id) => widgets[id] === undefined).map((id) => `there is no widget ${id}`),
    ...Object.keys(widgets)
      .filter((id) => !placed.includes(id))
      .map((id) => `widget ${id} stands nowhere`),
    ...actions
      .filter(({ targetDashboardStateId }) => states[targetDashboardStateId] === undefined)
      .map(({ targetDashboardStateId }) => `there is no state ${targetDashboardStateId}`),
    ...all.flatMap((one) => widgetFaults(one, entityAliases, filters)),
    ...Object.entries(states).flatMap(([state, { layouts }]) => layoutFaults(state, layouts.main)),
  ];
}

function widgetFaults(one: Widget, aliases: object, filters: object): string[] {
  const { typeFullFqn, type, config } = one;
  const known = WIDGET_TYPES[typeFullFqn]!;
  const fault = (wrong: boolean, text: string): string[] => (wrong ? [`${config.title}: ${text}`] : []);
  const sources = datasourcesOf(one);
  const keyTypes: readonly string[] =
    type === 'alarm' ? ['alarm'] : known.datasource === undefined ? ['timeseries', 'attribute'] : ['count'];
  return [
    ...fault(type !== known.type, `a ${typeFullFqn} is of the type ${known.type}`),
    ...fault(sources.length === 0, 'no datasource'),
    ...fault((type === 'alarm') !== (config.alarmSource !== undefined), 'an alarm source is for alarms'),
    ...fault((type === 'alarm') !== (config.alarmFilterConfig !== undefined), 'an alarm filter is for alarms'),
    ...fault(
      config.timewindow === undefined && type !== 'latest' && config.useDashboardTimewindow !== true,
      'neither a time window nor the one of the dashboard',
    ),
    ...Object.keys(config.settings).flatMap((setting) =>
      fault(!known.settings.includes(setting), `${typeFullFqn} has no setting ${setting}`),
    ),
    ...Object.keys(config.actions).flatMap((source) =>
      fault(known.actions?.includes(source) !== true, `${typeFullFqn} has no action ${source}`),
    ),
    ...sources.flatMap(({ type: kind, entityAliasId, filterId, dataKeys, alarmFilterConfig: filter }) => [
      ...fault(kind !== (known.datasource ?? 'entity'), `a datasource of the type ${kind}`),
      ...fault(!Object.hasOwn(aliases, entityAliasId), `there is no alias ${entityAliasId}`),
      ...fault(filterId !== null && !Object.hasOwn(filters, filterId), `there is no filter ${filterId}`),
      ...fault((kind === 'alarmCount') !== (filter !== undefined), 'counts of alarms have an alarm filter'),
      ...fault(dataKeys.length > (known.maxKeys ?? Number.POSITIVE_INFINITY), 'too many keys'),
      ...dataKeys.flatMap((key) => fault(!keyTypes.includes(key.type), `${key.name} is of the type ${key.type}`)),
    ]),
  ];
}

/** Widgets stand within the grid, and none on another. */
function layoutFaults(state: string, { widgets }: z.infer<typeof layout>): string[] {
  const taken = new Map<string, string>();
  return Object.entries(widgets).flatMap(([id, { col, row, sizeX, sizeY }]) => {
    if (col + sizeX > COLUMNS) return [`${state}: widget ${id} is beyond column ${COLUMNS}`];
    const cells = Array.from(
      { length: sizeX * sizeY },
      (_, at) => `${col + (at % sizeX)},${row + Math.floor(at / sizeX)}`,
    );
    const others = new Set(cells.flatMap((cell) => taken.get(cell) ?? []));
    for (const cell of cells) taken.set(cell, id);
    return [...others].map((other) => `${state}: widgets ${other} and ${id} overlap`);
  });
}
