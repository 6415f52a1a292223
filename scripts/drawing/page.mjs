// A state of a dashboard file as an HTML page: each widget where the grid has it, with titles, keys and units of the file and
// the values of samples.mjs. It resembles ThingsBoard only as far as that helps to recognise the file.
import { chartSvg } from './chart.mjs';
import { ALARMS, ENTITIES, NOW } from './samples.mjs';

const CELL = 50;
const MARGIN = 10;
const BANNER = 34;
export const WIDTH = 24 * CELL + MARGIN;

const pad = (number) => String(number).padStart(2, '0');
const day = (at) => new Date(at).toISOString().slice(0, 10);
const hour = (at) => `${pad(new Date(at).getUTCHours())}:${pad(new Date(at).getUTCMinutes())}`;
const moment = (at) => `${day(at)} ${hour(at)}:${pad(new Date(at).getUTCSeconds())}`;
/** What functions of cells find in ThingsBoard. */
const CONTEXT = { date: { transform: moment } };

const ESCAPED = { '&': '&amp;', '<': '&lt;', '>': '&gt;', '"': '&quot;' };
const html = (text) => String(text).replace(/[&<>"]/g, (sign) => ESCAPED[sign]);

/** `{text, height}` of the page; `note` says what it was drawn from. */
export function statePage({ configuration }, stateId, note) {
  const { widgets } = configuration.states[stateId].layouts.main;
  const placed = Object.entries(widgets).map(([id, place]) => ({ ...place, widget: configuration.widgets[id] }));
  const rows = Math.max(...placed.map(({ row, sizeY }) => row + sizeY));
  const height = BANNER + rows * CELL + MARGIN;
  const boxes = placed.map(({ col, row, sizeX, sizeY, widget }) => {
    const size = { width: sizeX * CELL - MARGIN, height: sizeY * CELL - MARGIN };
    const place = `left:${col * CELL + MARGIN}px;top:${BANNER + row * CELL + MARGIN}px;width:${size.width}px;height:${size.height}px`;
    return `<div class="widget" style="${place}">${widgetHtml(widget, size, configuration)}</div>`;
  });
  return { text: `${STYLE}<div class="note">${html(note)}</div>${boxes.join('')}`, height };
}

const DRAWN = {
  'system.entity_count': countHtml,
  'system.alarm_count': countHtml,
  'system.cards.value_card': valueHtml,
  'system.cards.attributes_card': attributesHtml,
  'system.cards.entities_table': entitiesHtml,
  'system.cards.timeseries_table': recordsHtml,
  'system.time_series_chart': chartHtml,
  'system.alarm_widgets.alarms_table': alarmsHtml,
};

function widgetHtml(widget, size, configuration) {
  const title = widget.config.showTitle ? `<h1>${html(widget.config.title)}</h1>` : '';
  return title + DRAWN[widget.typeFullFqn](widget.config, size, configuration);
}

/** Entities of an alias. One of a state, or one chosen, is the first. */
function entitiesOf({ entityAliasId }, { entityAliases }) {
  const { filter } = entityAliases[entityAliasId];
  const all = (filter.deviceTypes ?? ['dlms-meter']).flatMap((profile) => ENTITIES[profile]);
  return filter.resolveMultiple ? all : all.slice(0, 1);
}

function countHtml({ settings, datasources: [source] }, _, configuration) {
  const entities = entitiesOf(source, configuration);
  const value =
    source.type === 'alarmCount' ? countAlarms(source, entities) : countEntities(source, entities, configuration);
  const { color } = settings.iconBackgroundColor;
  return `<div class="count"><i style="background:${color}"></i><div>${html(settings.label)}<b>${value}</b></div></div>`;
}

function countAlarms({ alarmFilterConfig: { severityList } }, entities) {
  return ALARMS.filter(
    ({ originator, severity, status }) =>
      status.startsWith('Active') &&
      entities.some(({ name }) => name === originator) &&
      (severityList.length === 0 || severityList.includes(severity)),
  ).length;
}

function countEntities({ filterId }, entities, { filters }) {
  const { keyFilters } = filters[filterId] ?? { keyFilters: [] };
  return entities.filter((entity) =>
    keyFilters.every(({ key, predicates }) =>
      predicates.every(({ keyFilterPredicate }) => holds(keyFilterPredicate, entity.valueAt(key.key))),
    ),
  ).length;
}

function holds({ operation, value, predicates }, actual) {
  if (operation === 'OR') return predicates.some((one) => holds(one, actual));
  if (operation === 'GREATER') return actual > value.defaultValue;
  if (operation === 'LESS') return actual < value.defaultValue;
  return actual === value.defaultValue;
}

function valueHtml({ datasources: [source], settings }, _, configuration) {
  const [entity] = entitiesOf(source, configuration);
  const [key] = source.dataKeys;
  const ago = `${Math.round((NOW - entity.valueAt('lastActivityTime')) / 1000)} s ago`;
  return `<div class="value"><i style="background:${settings.iconColor.color}"></i><span>${html(key.label)}</span><b>${shown(entity, key).text}</b><small>${ago}</small></div>`;
}

function attributesHtml({ datasources: [source] }, _, configuration) {
  const [entity] = entitiesOf(source, configuration);
  const lines = source.dataKeys.map((key) => `<tr><td>${html(key.label)}</td><td>${shown(entity, key).text}</td></tr>`);
  return `<h2>${html(entity.name)}</h2><table class="attributes">${lines.join('')}</table>`;
}

function entitiesHtml({ datasources: [source], settings }, _, configuration) {
  const head = [settings.entityNameColumnTitle, ...source.dataKeys.map(({ label }) => label)];
  const lines = entitiesOf(source, configuration).map((entity) => [
    { text: html(entity.name), style: {} },
    ...source.dataKeys.map((key) => shown(entity, key)),
  ]);
  return table(head, lines);
}

function recordsHtml({ datasources: [source], timewindow }, { height }, configuration) {
  const [entity] = entitiesOf(source, configuration);
  const names = source.dataKeys.map(({ name }) => name);
  const records = entity.rows(names, NOW - timewindow.realtime.timewindowMs);
  const lines = records
    .slice(0, Math.floor((height - 80) / 28))
    .map(({ at, values }) => [
      { text: moment(at), style: {} },
      ...source.dataKeys.map((key) => styled(values[key.name], key)),
    ]);
  return table(['Timestamp', ...source.dataKeys.map(({ label }) => label)], lines);
}

function alarmsHtml({ alarmSource }, { height }, configuration) {
  const names = entitiesOf(alarmSource, configuration).map(({ name }) => name);
  const alarms = ALARMS.filter(({ originator }) => names.includes(originator));
  const lines = alarms.slice(0, Math.floor((height - 80) / 28)).map((alarm) =>
    alarmSource.dataKeys.map(({ name }) => {
      const value = alarm[name];
      return {
        text: name === 'createdTime' ? moment(value) : html(capitalised(value)),
        style: severityStyle(name, value),
      };
    }),
  );
  return table(
    alarmSource.dataKeys.map(({ label }) => label),
    lines,
  );
}

const capitalised = (text) => (text === text.toUpperCase() ? text[0] + text.slice(1).toLowerCase() : text);
const SEVERITY_COLOURS = { CRITICAL: '#d12730', MAJOR: '#f5871f', MINOR: '#faa405', WARNING: '#8a7a00' };
const severityStyle = (name, value) =>
  name === 'severity' ? { color: SEVERITY_COLOURS[value], fontWeight: 'bold' } : {};

function table(head, lines) {
  const row = (cells) => cells.map(({ text, style }) => `<td style="${css(style)}">${text}</td>`).join('');
  return `<table class="lines"><tr>${head.map((text) => `<th>${html(text)}</th>`).join('')}</tr>${lines.map((cells) => `<tr>${row(cells)}</tr>`).join('')}</table>`;
}

const css = (style) =>
  Object.entries(style)
    .map(([name, value]) => `${name.replace(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`)}:${value}`)
    .join(';');

/** The latest value of a key, as a cell. */
function shown(entity, key) {
  return styled(entity.valueAt(key.name), key);
}

/** Functions of the file are applied as ThingsBoard applies them. */
function styled(raw, { settings, units, decimals, postFuncBody }) {
  if (raw === undefined) return { text: '', style: {} };
  const value =
    postFuncBody === null ? raw : apply(postFuncBody, { time: NOW, value: raw, timePrev: 0, prevOrigValue: 0 });
  const { cellContentFunction = null, cellStyleFunction = null } = settings;
  const cell = { value, entity: {}, ctx: CONTEXT };
  const content = cellContentFunction === null ? formatted(value, decimals, units) : apply(cellContentFunction, cell);
  return { text: html(content), style: cellStyleFunction === null ? {} : apply(cellStyleFunction, cell) };
}

function formatted(value, decimals, units) {
  if (typeof value !== 'number') return value;
  return `${value.toFixed(decimals ?? 0)}${units === null ? '' : ` ${units}`}`;
}

function apply(body, named) {
  return new Function(...Object.keys(named), body)(...Object.values(named));
}

function chartHtml(
  { datasources: [source], settings, timewindow, useDashboardTimewindow, units, decimals },
  size,
  configuration,
) {
  const { realtime, aggregation } = useDashboardTimewindow ? configuration.timewindow : timewindow;
  const { interval } = realtime;
  const monthBegins = Date.parse(`${day(NOW).slice(0, 7)}-01T00:00:00Z`);
  const from =
    realtime.realtimeType === 0 ? Math.floor((NOW - realtime.timewindowMs) / interval) * interval : monthBegins;
  const [entity] = entitiesOf(source, configuration);
  const series = source.dataKeys.map((key) => {
    const { type = 'line', lineSettings } = key.settings;
    const kind = type === 'bar' ? 'bar' : lineSettings?.step === true ? 'step' : 'line';
    return {
      label: key.label,
      color: key.color,
      kind,
      points: pointsOf(entity, key, { from, interval: kind === 'step' ? interval / 12 : interval, aggregation }),
    };
  });
  const legend = series.map(({ label, color }) => `<span><i style="background:${color}"></i>${html(label)}</span>`);
  const time = NOW - from > 3 * 86_400_000 ? (at) => day(at).slice(5) : hour;
  const svg = chartSvg({
    width: size.width - 12,
    height: size.height - 74,
    from,
    to: from + Math.ceil((NOW - from) / interval) * interval,
    units: units ?? '',
    series,
    limits: settings.thresholds.map(({ value }) => value),
    decimals,
    time,
  });
  return `<div class="legend">${legend.join('')}</div>${svg}`;
}

/** A point in the middle of each bucket, as ThingsBoard has them; without aggregation one at each capture. */
function pointsOf(entity, { name, postFuncBody }, { from, interval, aggregation }) {
  const points = [];
  let before = [0, 0];
  for (let begin = from; begin < NOW; begin += interval) {
    const end = Math.min(begin + interval, NOW);
    const middle = begin + interval / 2;
    const at = aggregation.type === 'MAX' ? end : aggregation.type === 'NONE' ? begin : middle;
    const value = entity.valueAt(name, at);
    if (value === undefined) continue;
    const point = [middle, value];
    const [timePrev, prevOrigValue] = before;
    const computed =
      postFuncBody === null ? value : apply(postFuncBody, { time: middle, value, timePrev, prevOrigValue });
    points.push([middle, computed]);
    before = point;
  }
  return points;
}

const STYLE = `<!doctype html><meta charset="utf-8"><style>
* { box-sizing: border-box; }
body { margin: 0; background: #eeeeee; font: 13px "DejaVu Sans", sans-serif; color: rgba(0, 0, 0, 0.87); }
.note { position: absolute; top: 10px; left: ${MARGIN}px; color: #616161; }
.widget { position: absolute; background: #fff; border-radius: 4px; box-shadow: 0 1px 3px rgba(0, 0, 0, 0.25); padding: 6px; overflow: hidden; }
h1 { font-size: 14px; font-weight: normal; margin: 4px 6px 8px; }
h2 { font-size: 15px; font-weight: bold; margin: 4px 6px 8px; }
table { border-collapse: collapse; width: 100%; font-size: 12px; }
th { text-align: left; font-weight: normal; color: #757575; }
th, .lines td { padding: 5px 6px; border-bottom: 1px solid #e8e8e8; height: 28px; white-space: nowrap; max-width: 240px; overflow: hidden; text-overflow: ellipsis; }
.attributes td { padding: 8px 6px; font-size: 13px; }
.attributes td:first-child { color: #757575; width: 45%; }
.count, .count div { display: flex; align-items: center; gap: 12px; }
.count { padding: 20px 12px; }
.count div { flex-direction: column; align-items: flex-start; gap: 2px; color: #757575; }
.count b { font-size: 22px; color: rgba(0, 0, 0, 0.87); }
.count i { width: 36px; height: 36px; border-radius: 50%; }
.value { display: flex; flex-direction: column; gap: 6px; padding: 8px 10px; }
.value i { width: 26px; height: 5px; border-radius: 3px; }
.value b { font-size: 20px; white-space: nowrap; }
.value small { color: #9e9e9e; }
.legend { display: flex; gap: 16px; margin: 0 6px 6px; font-size: 12px; color: #616161; }
.legend i { display: inline-block; width: 10px; height: 10px; border-radius: 50%; margin-right: 6px; }
svg { shape-rendering: crispEdges; }
svg text { font-size: 11px; fill: #757575; }
</style>`;
