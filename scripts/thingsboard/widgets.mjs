// Widgets of a dashboard, with what this project sets in them. What is left out has ThingsBoard's own default.

const HOUR_MS = 3_600_000;
const DAY_MS = 24 * HOUR_MS;
/** Colours of series, in their order. */
const PALETTE = ['#1e88e5', '#fb8c00', '#43a047', '#8e24aa', '#e53935', '#00897b'];

/** Energies are published in Wh, as meters have them, and shown in kWh. */
const KWH = 'return value / 1000;';
/** What a register has counted since the value before; a counter that goes backwards stands out below the axis. */
const COUNTED_KWH = 'return timePrev > 0 ? (value - prevOrigValue) / 1000 : 0;';

/**
 * Of a widget or table: a key with how it is shown.
 * @param {string} name
 * @param {{label: string, type?: string, units?: string, decimals?: number, post?: string, settings?: object}} shown
 *   `post`: the body of a JavaScript function that ThingsBoard applies to each value.
 */
export function key(name, { label, type = 'timeseries', units, decimals, post, settings = {} }) {
  return {
    name,
    type,
    label,
    color: PALETTE[0],
    settings,
    units: units ?? null,
    decimals: decimals ?? null,
    usePostProcessing: post !== undefined,
    postFuncBody: post ?? null,
  };
}

export const attribute = (name, label, settings) => key(name, { label, type: 'attribute', settings });
export const energy = (name, label) => key(name, { label, units: 'kWh', decimals: 1, post: KWH });
export const counted = (name, label) =>
  key(name, { label, units: 'kWh', decimals: 2, post: COUNTED_KWH, settings: BAR });
/** A point of a chart at each value, held until the next. */
export const stepped = (name, label) =>
  key(name, { label, decimals: 0, settings: { type: 'line', lineSettings: { step: true, stepType: 'end' } } });

const BAR = { type: 'bar' };

/** A column whose text or style follows from its value; the bodies are JavaScript that ThingsBoard runs in the browser. */
export function cell({ content, style }) {
  return {
    useCellContentFunction: content !== undefined,
    cellContentFunction: content ?? null,
    useCellStyleFunction: style !== undefined,
    cellStyleFunction: style ?? null,
  };
}

/** Time windows. Buckets of days begin at local midnight only in a window that does so itself, such as a calendar month. */
export const WINDOWS = {
  lastDay: window({ realtimeType: 0, timewindowMs: DAY_MS, interval: HOUR_MS / 12 }, 'AVG'),
  hours: window({ realtimeType: 0, timewindowMs: DAY_MS, interval: HOUR_MS }, 'MAX'),
  days: window({ realtimeType: 1, quickInterval: 'CURRENT_MONTH_SO_FAR', interval: DAY_MS }, 'MAX'),
  twoDays: window({ realtimeType: 0, timewindowMs: 2 * DAY_MS, interval: HOUR_MS / 4 }, 'NONE'),
  lastMonth: window({ realtimeType: 0, timewindowMs: 30 * DAY_MS, interval: HOUR_MS }, 'NONE'),
};

function window(realtime, aggregation) {
  return {
    hideAggregation: false,
    hideAggInterval: false,
    selectedTab: 0,
    realtime,
    aggregation: { type: aggregation, limit: 25_000 },
  };
}

/** What a datasource refers to: an alias, and a filter on it. */
const entities = (alias, keys, filter = null) => ({
  type: 'entity',
  name: null,
  entityAliasId: alias.id,
  filterId: filter?.id ?? null,
  dataKeys: keys,
});

function widget(typeFullFqn, type, title, { padding = '8px', ...config }) {
  return {
    typeFullFqn,
    type,
    config: {
      title,
      showTitle: true,
      titleStyle: { fontSize: '16px', fontWeight: 400 },
      dropShadow: true,
      enableFullscreen: true,
      backgroundColor: '#ffffff',
      color: 'rgba(0, 0, 0, 0.87)',
      padding,
      settings: {},
      actions: {},
      datasources: [],
      ...config,
    },
  };
}

const ownWindow = (timewindow) => ({ useDashboardTimewindow: false, displayTimewindow: true, timewindow });

/** One value, large. */
export function valueCard(alias, shown, { icon, color }) {
  return widget('system.cards.value_card', 'latest', shown.label, {
    showTitle: false,
    enableFullscreen: false,
    padding: '0px',
    datasources: [entities(alias, [shown])],
    units: shown.units,
    decimals: shown.decimals,
    settings: { layout: 'square', showLabel: true, showIcon: true, icon, iconColor: constant(color), showDate: true },
  });
}

/** How many entities there are, of those that pass the filter. */
export function entityCount(label, alias, filter, { icon, color }) {
  return count(
    'system.entity_count',
    label,
    { icon, color },
    { ...entities(alias, [COUNT], filter), type: 'entityCount' },
  );
}

/** How many alarms are active, of the severities given or of all. */
export function alarmCount(label, alias, severityList, { icon, color }) {
  const alarmFilterConfig = { statusList: ['ACTIVE'], severityList, typeList: [], searchPropagatedAlarms: false };
  const source = { ...entities(alias, [COUNT]), type: 'alarmCount', alarmFilterConfig };
  return count('system.alarm_count', label, { icon, color }, source);
}

const COUNT = key('count', { label: 'count', type: 'count' });

function count(typeFullFqn, label, { icon, color }, datasource) {
  return widget(typeFullFqn, 'latest', label, {
    showTitle: false,
    enableFullscreen: false,
    padding: '0px',
    datasources: [datasource],
    settings: { layout: 'column', showLabel: true, label, showIcon: true, icon, iconBackgroundColor: constant(color) },
  });
}

const constant = (color) => ({ type: 'constant', color });

/** Latest values of several entities, one a line. `rowClick`: the state that a click opens with the entity of the line. */
export function entitiesTable(title, alias, keys, { nameTitle, rowClick }) {
  return widget('system.cards.entities_table', 'latest', title, {
    datasources: [entities(alias, keys)],
    settings: {
      entitiesTitle: title,
      enableSearch: true,
      enableSelectColumnDisplay: true,
      enableStickyHeader: true,
      displayPagination: true,
      defaultPageSize: 20,
      defaultSortOrder: 'entityName',
      displayEntityName: true,
      entityNameColumnTitle: nameTitle,
      displayEntityLabel: false,
      displayEntityType: false,
    },
    actions: rowClick === undefined ? {} : { rowClick: [openState(rowClick)] },
  });
}

function openState(state) {
  return {
    name: `Open ${state}`,
    icon: 'insights',
    type: 'openDashboardState',
    targetDashboardStateId: state,
    setEntityId: true,
    stateEntityParamName: null,
    openRightLayout: false,
    openInSeparateDialog: false,
    openInPopover: false,
  };
}

/** Names and values one below the other. */
export function attributesCard(title, alias, keys) {
  return widget('system.cards.attributes_card', 'latest', title, { datasources: [entities(alias, keys)] });
}

/** What came in, newest first. */
export function timeseriesTable(title, alias, keys, timewindow) {
  return widget('system.cards.timeseries_table', 'timeseries', title, {
    ...ownWindow(timewindow),
    datasources: [entities(alias, keys)],
    settings: {
      showTimestamp: true,
      displayPagination: true,
      defaultPageSize: 10,
      hideEmptyLines: true,
      enableSearch: true,
      dateFormat: { format: 'yyyy-MM-dd HH:mm:ss' },
    },
  });
}

/** Series over time. `timewindow`: the dashboard's where it is left out. `limits`: lines across the chart. */
export function chart(title, alias, keys, { units, decimals = 0, timewindow, limits = [] }) {
  const series = keys.map((shown, index) => ({ ...shown, color: PALETTE[index] }));
  return widget('system.time_series_chart', 'timeseries', title, {
    ...(timewindow === undefined ? { useDashboardTimewindow: true } : ownWindow(timewindow)),
    padding: '0px',
    datasources: [entities(alias, series)],
    units: units ?? null,
    decimals,
    settings: {
      showLegend: true,
      yAxes: { default: { id: 'default', order: 0, units: units ?? null, decimals } },
      thresholds: limits.map((value) => ({ type: 'constant', value, yAxisId: 'default', lineColor: PALETTE[4] })),
    },
  });
}

/** Alarms of several entities, newest first. */
export function alarmsTable(title, alias, timewindow) {
  const columns = [
    ['createdTime', 'Created'],
    ['originator', 'Device'],
    ['type', 'Type'],
    ['severity', 'Severity'],
    ['status', 'Status'],
  ];
  const shown = columns.map(([name, label]) => key(name, { label, type: 'alarm' }));
  return widget('system.alarm_widgets.alarms_table', 'alarm', title, {
    ...ownWindow(timewindow),
    alarmSource: entities(alias, shown),
    alarmFilterConfig: { statusList: [], severityList: [], typeList: [], searchPropagatedAlarms: false },
    settings: {
      alarmsTitle: title,
      enableSelection: true,
      enableSearch: true,
      enableFilter: true,
      displayDetails: true,
      allowAcknowledgment: true,
      allowClear: true,
      allowAssign: true,
      displayPagination: true,
      defaultPageSize: 10,
      defaultSortOrder: '-createdTime',
    },
  });
}
