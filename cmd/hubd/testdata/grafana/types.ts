// What Grafana takes for a dashboard of the Prometheus data source, as types that JSON can be held against.
import type { Dashboard } from "@grafana/schema";
import type * as Heatmap from "@grafana/schema/dist/esm/raw/composable/heatmap/panelcfg/x/HeatmapPanelCfg_types.gen";
import type * as Stat from "@grafana/schema/dist/esm/raw/composable/stat/panelcfg/x/StatPanelCfg_types.gen";
import type * as TimeSeries from "@grafana/schema/dist/esm/raw/composable/timeseries/panelcfg/x/TimeSeriesPanelCfg_types.gen";

// Plain allows the texts of enumerations, and leaves out what Grafana fills in.
type Plain<T> = T extends string ? `${T}` : T extends number | boolean | null | undefined ? T : { [K in keyof T]?: Plain<T[K]> };

// Grafana writes these too; the data source has the one of annotations, the list of variables the other.
type Unlisted = { annotations?: { list?: { expr?: string }[] }; templating?: { list?: { definition?: string }[] } };

export type dashboard = Plain<Dashboard> & Unlisted;

// The options of a panel and those of its fields, by its type.
export type heatmap = Plain<{ options: Heatmap.Options; custom: Heatmap.FieldConfig }>;
export type stat = Plain<{ options: Stat.Options }>;
export type timeseries = Plain<{ options: TimeSeries.Options; custom: TimeSeries.FieldConfig }>;
