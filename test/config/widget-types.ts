/** Widget types of ThingsBoard that the dashboards use; all of them are in 3.7 and in 4.3.1.3. */

export interface WidgetType {
  /** The file of application/src/main/data/json/system/widget_types that defines it. */
  readonly source: string;
  readonly type: 'latest' | 'timeseries' | 'alarm';
  /** Those that it reads, of which we set some; the comment names the file below ui-ngx/src/app/modules/home/components/widget/lib. */
  readonly settings: readonly string[];
  /** The type of its datasources, where that is not `entity`. */
  readonly datasource?: string;
  readonly maxKeys?: number;
  readonly actions?: readonly string[];
}

/**
 * By `typeFullFqn`: `fqn` of the file, with `system.` before it.
 */
export const WIDGET_TYPES: Readonly<Record<string, WidgetType>> = {
  'system.entity_count': {
    source: 'entity_count.json',
    type: 'latest',
    // count/count-widget.models.ts
    settings: ['layout', 'showLabel', 'label', 'showIcon', 'icon', 'iconBackgroundColor'],
    datasource: 'entityCount',
  },
  'system.alarm_count': {
    source: 'alarm_count.json',
    type: 'latest',
    settings: ['layout', 'showLabel', 'label', 'showIcon', 'icon', 'iconBackgroundColor'],
    datasource: 'alarmCount',
  },
  'system.cards.value_card': {
    source: 'value_card.json',
    type: 'latest',
    // cards/value-card-widget.models.ts
    settings: ['layout', 'showLabel', 'showIcon', 'icon', 'iconColor', 'showDate'],
    maxKeys: 1,
  },
  'system.cards.attributes_card': { source: 'attributes_card.json', type: 'latest', settings: [] },
  'system.cards.entities_table': {
    source: 'entities_table.json',
    type: 'latest',
    // entity/entities-table-widget.component.ts, table-widget.models.ts
    settings: [
      'entitiesTitle',
      'enableSearch',
      'enableSelectColumnDisplay',
      'enableStickyHeader',
      'displayPagination',
      'defaultPageSize',
      'defaultSortOrder',
      'displayEntityName',
      'entityNameColumnTitle',
      'displayEntityLabel',
      'displayEntityType',
    ],
    actions: ['rowClick'],
  },
  'system.cards.timeseries_table': {
    source: 'timeseries_table.json',
    type: 'timeseries',
    // timeseries-table-widget.component.ts
    settings: ['showTimestamp', 'displayPagination', 'defaultPageSize', 'hideEmptyLines', 'enableSearch', 'dateFormat'],
  },
  'system.time_series_chart': {
    source: 'time_series_chart.json',
    type: 'timeseries',
    // chart/time-series-chart-widget.models.ts, chart/time-series-chart.models.ts
    settings: ['showLegend', 'yAxes', 'thresholds'],
  },
  'system.alarm_widgets.alarms_table': {
    source: 'alarms_table.json',
    type: 'alarm',
    // alarm/alarms-table-widget.component.ts
    settings: [
      'alarmsTitle',
      'enableSelection',
      'enableSearch',
      'enableFilter',
      'displayDetails',
      'allowAcknowledgment',
      'allowClear',
      'allowAssign',
      'displayPagination',
      'defaultPageSize',
      'defaultSortOrder',
    ],
  },
};
