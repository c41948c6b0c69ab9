// A dashboard as Grafana's own schema has it, but closed: a key that the schema does not know is an error.
// The test writes each dashboard as a literal of this type into checked/, where TypeScript looks at every key of it.

import type * as schema from "@grafana/schema";
import type * as gauge from "@grafana/schema/dist/esm/raw/composable/gauge/panelcfg/x/GaugePanelCfg_types.gen";
import type * as heatmap from "@grafana/schema/dist/esm/raw/composable/heatmap/panelcfg/x/HeatmapPanelCfg_types.gen";
import type * as stat from "@grafana/schema/dist/esm/raw/composable/stat/panelcfg/x/StatPanelCfg_types.gen";
import type * as states from "@grafana/schema/dist/esm/raw/composable/statetimeline/panelcfg/x/StateTimelinePanelCfg_types.gen";
import type * as lines from "@grafana/schema/dist/esm/raw/composable/timeseries/panelcfg/x/TimeSeriesPanelCfg_types.gen";
// The last release whose schema has the queries to Prometheus.
import type { PrometheusDataQuery } from "prometheus-query/dist/esm/raw/composable/prometheus/dataquery/x/PrometheusDataQuery_types.gen";

// In JSON an enum is its text or number.
type Plain<T> = unknown extends T
  ? T
  : T extends string
    ? `${T}`
    : T extends number
      ? `${T}` extends `${infer N extends number}`
        ? N
        : never
      : T extends boolean | null | undefined
        ? T
        : T extends Array<infer E>
          ? Array<Plain<E>>
          : { [K in keyof T]: Plain<T[K]> };

type Query = PrometheusDataQuery & { datasource: schema.DataSourceRef };

// `custom` and `options` are open in the schema; each kind of panel has closed ones of its own.
type Fields<Custom> = {
  defaults: Omit<schema.FieldConfig, "custom" | "links"> & ([Custom] extends [never] ? {} : { custom: Custom });
  overrides: [];
};
type PanelOf<Type extends string, Options, Custom> = Omit<
  schema.Panel,
  "type" | "options" | "fieldConfig" | "targets" | "transformations"
> & {
  type: Type;
  options: Options;
  fieldConfig: Fields<Custom>;
  targets: Query[];
} & Required<Pick<schema.Panel, "id" | "title" | "description" | "gridPos" | "datasource">>;

type Panel =
  | PanelOf<"timeseries", lines.Options, lines.FieldConfig>
  | PanelOf<"stat", stat.Options, never>
  | PanelOf<"gauge", gauge.Options, never>
  | PanelOf<"heatmap", heatmap.Options, never>
  | PanelOf<"state-timeline", states.Options, states.FieldConfig>;
type Row = Omit<schema.RowPanel, "panels"> & { panels: Panel[] };

// What the Prometheus plug-in reads of an annotation besides the schema's part: packages/grafana-prometheus/src/annotations.ts
type Annotation = schema.AnnotationQuery<PrometheusDataQuery> & {
  expr?: string;
  step?: string;
  titleFormat?: string;
  textFormat?: string;
  useValueForTime?: boolean;
};

export type Dashboard = Plain<
  Omit<schema.Dashboard, "panels" | "annotations" | "uid" | "title"> & {
    uid: string;
    title: string;
    panels: Array<Panel | Row>;
    annotations: { list: Annotation[] };
  }
>;
