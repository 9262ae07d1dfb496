// A dashboard with the answers to its queries (window.PREVIEW, written by look.py), drawn with Grafana's components.
// Numbers, lines, tables, legends and panel frames are Grafana's own, and so are units, mappings, thresholds, overrides
// and transformations. Bands, bars and the heatmap are in no npm package: what draws them here is ours.
import {
  applyFieldOverrides, createTheme, dateTime, FieldType, getFieldDisplayName, getFieldDisplayValues, Registry,
  standardFieldConfigEditorRegistry, standardTransformers, standardTransformersRegistry, toDataFrame, transformDataFrame,
} from '@grafana/data';
import { BigValue, GlobalStyles, PanelChrome, Table, ThemeContext, TimeSeries, VizLegend } from '@grafana/ui';
import { Component } from 'react';
import { createRoot } from 'react-dom/client';

const STANDARD = ['unit', 'min', 'max', 'decimals', 'displayName', 'color', 'noValue', 'links', 'mappings', 'thresholds'];
const CUSTOM = [
  'lineStyle', 'lineWidth', 'fillOpacity', 'showPoints', 'drawStyle', 'scaleDistribution', 'axisSoftMin', 'axisSoftMax',
  'axisPlacement', 'cellOptions', 'width', 'minWidth', 'hideFrom', 'stacking',
];
const option = (path, isCustom) => ({
  id: isCustom ? `custom.${path}` : path, path, name: path, isCustom, settings: {},
  process: (value) => value, shouldApply: () => true, editor: () => null, override: () => null,
});
standardFieldConfigEditorRegistry.setInit(() => STANDARD.map((id) => option(id, false)) as any);
const fieldConfigRegistry = new Registry(
  () => [...STANDARD.map((id) => option(id, false)), ...CUSTOM.map((id) => option(id, true))] as any,
) as any;
const transformers = new Map(Object.values(standardTransformers).map((each: any) => [each.id, each]));
standardTransformersRegistry.setInit(
  () => [...transformers.values()].map((each) => ({ id: each.id, name: each.name, transformation: each, editor: () => null })) as any,
);

const { board, mode, start, end, step } = (window as any).PREVIEW;
const theme = createTheme({ colors: { mode } });
const timeRange: any = { from: dateTime(start * 1000), to: dateTime(end * 1000), raw: { from: '', to: '' } };
const shared: any = { replaceVariables: (text) => text, theme, timeZone: 'utc' };

// ---------------------------------------------------------------- data

const number = (text) => ({ NaN, '+Inf': Infinity, '-Inf': -Infinity })[text] ?? Number(text);

function named(target, labels) {
  return target.legendFormat.replace(/\{\{\s*(\w+)\s*\}\}/g, (_, label) => labels[label] ?? '');
}

function framesOf(panel) {
  return panel.targets.flatMap((target) => (target.format === 'table' ? tableOf(panel, target) : target.result.map((series) => linesOf(target, series))));
}

function tableOf(panel, target) {
  if (!target.result.length) return [];
  const labels = [...new Set(target.result.flatMap((series) => Object.keys(series.metric)))].sort() as string[];
  return [toDataFrame({ refId: target.refId, fields: [
    { name: 'Time', type: FieldType.time, values: target.result.map((series) => series.value[0] * 1000) },
    ...labels.map((label) => ({ name: label, type: FieldType.string, values: target.result.map((series) => series.metric[label] ?? '') })),
    { name: panel.targets.length > 1 ? `Value #${target.refId}` : 'Value', type: FieldType.number, values: target.result.map((series) => number(series.value[1])) },
  ] })];
}

function linesOf(target, series) {
  const points = series.values ?? [series.value];
  const name = named(target, series.metric);
  return toDataFrame({ refId: target.refId, name, fields: [
    { name: 'Time', type: FieldType.time, values: points.map((point) => point[0] * 1000), config: { interval: step * 1000 } },
    { name: 'Value', type: FieldType.number, labels: series.metric, values: points.map((point) => number(point[1])), config: { displayNameFromDS: name } },
  ] });
}

function prepared(panel) {
  let data = framesOf(panel);
  data.forEach((frame, place) => frame.fields.forEach((field, index) => {
    field.state = { seriesIndex: place, origin: { frameIndex: place, fieldIndex: index } };
  }));
  transformDataFrame(panel.transformations ?? [], data).subscribe((changed) => (data = changed));
  const palette = ['timeseries', 'barchart'].includes(panel.type) ? { color: { mode: 'palette-classic' } } : {};
  const fieldConfig = { defaults: { custom: {}, ...palette, ...panel.fieldConfig.defaults }, overrides: panel.fieldConfig.overrides };
  return applyFieldOverrides({ ...shared, data, fieldConfig, fieldConfigRegistry });
}

// ---------------------------------------------------------------- panels

function Numbers({ panel, frames, width, height }) {
  const { reduceOptions, colorMode } = panel.options;
  const values = getFieldDisplayValues({ ...shared, fieldConfig: panel.fieldConfig, reduceOptions, data: frames });
  const each = (width - 4 * (values.length - 1)) / values.length;
  return <div style={{ display: 'flex', gap: 4 }}>{values.map((value, place) => (
    <BigValue key={place} width={each} height={height} theme={theme} count={values.length} colorMode={colorMode}
      graphMode={'none' as any} value={{ ...value.display, title: values.length > 1 ? value.display.title : undefined }} />
  ))}</div>;
}

const clock = (seconds) => new Date(seconds * 1000).toISOString().slice(11, 16);
const colourOf = (field, value) => (field.config.color?.fixedColor ? theme.visualization.getColorByName(field.config.color.fixedColor) : field.display(value).color);
const text = { fill: theme.colors.text.primary, fontSize: 12 };

function Bands({ frames, width, height }) {
  const left = 120, row = (height - 50) / frames.length, legend = new Map();
  const x = (at) => left + ((at / 1000 - start) / (end - start)) * (width - left - 8);
  return <div>
    <svg width={width} height={height - 26} {...text}>
      {frames.map((frame, place) => <g key={place}>
        <text x={left - 8} y={(place + 0.6) * row} textAnchor="end">{getFieldDisplayName(frame.fields[1], frame, frames)}</text>
        {frame.fields[0].values.map((at, index) => {
          const shown = frame.fields[1].display(frame.fields[1].values[index]);
          legend.set(shown.text, shown.color);
          return <rect key={index} x={x(at)} width={x(at + step * 1000) - x(at) + 1} y={place * row} height={row * 0.85} fill={shown.color} />;
        })}
      </g>)}
      {[0, 1, 2, 3, 4, 5].map((tick) => <text key={tick} x={x((start + ((end - start) * tick) / 6) * 1000)} y={height - 32}>{clock(start + ((end - start) * tick) / 6)}</text>)}
    </svg>
    <VizLegend placement="bottom" displayMode={'list' as any} items={[...legend].map(([label, color]) => ({ label, color, yAxis: 1 }))} />
  </div>;
}

function Bars({ panel, frames, width, height }) {
  const [frame] = frames, fields = frame.fields.filter((field) => field.type === FieldType.number);
  const names = frame.fields.find((field) => field.type === FieldType.string), room = (width - 60) / frame.length, tall = height - 110;
  const top = 1.05 * Math.max(...fields.flatMap((field) => field.values.filter(Number.isFinite)));
  return <div>
    <svg width={width} height={height - 26} {...text}>
      {[0, 0.5, 1].map((part) => <text key={part} x={50} y={tall * (1 - part) + 12} textAnchor="end">{`${(100 * part * top).toFixed(1)}%`}</text>)}
      {names.values.map((name, index) => <g key={index}>
        {fields.map((field, place) => {
          const share = (tall * (field.values[index] ?? 0)) / top, wide = (room * 0.8) / fields.length;
          return <rect key={place} x={58 + index * room + place * wide} width={wide * 0.95} y={tall + 8 - share} height={share} fill={colourOf(field, 1)} opacity={0.8} />;
        })}
        <text transform={`translate(${58 + (index + 0.5) * room},${tall + 20}) rotate(-45)`} textAnchor="end">{String(name).slice(0, 16)}</text>
      </g>)}
    </svg>
    <VizLegend placement="bottom" displayMode={'list' as any} items={fields.map((field) => ({ label: getFieldDisplayName(field, frame, frames), color: colourOf(field, 1), yAxis: 1 }))} />
  </div>;
}

function Heat({ panel, width, height }) {
  const buckets = panel.targets[0].result.map((series) => ({ le: number(series.metric.le), rows: new Map(series.values) })).sort((a, b) => a.le - b.le);
  const times = [...buckets.at(-1).rows.keys()] as number[], row = height / buckets.length, cell = ((width - 50) * step) / (end - start);
  const count = (index, at) => number(buckets[index].rows.get(at)) - (index ? number(buckets[index - 1].rows.get(at)) : 0);
  const most = Math.max(...times.flatMap((at) => buckets.map((_, index) => count(index, at))));
  return <svg width={width} height={height} {...text}>{buckets.map((bucket, index) => <g key={index}>
    <text x={44} y={height - (index + 0.4) * row} textAnchor="end">{String(bucket.le)}</text>
    {times.map((at) => <rect key={at} x={50 + ((at - start) / step) * cell} width={cell} y={height - (index + 1) * row} height={row} fill="rgb(90,150,240)" opacity={count(index, at) / most} />)}
  </g>)}</svg>;
}

function Body({ panel, width, height }) {
  const frames = prepared(panel), size = { width, height }, { noValue } = panel.fieldConfig.defaults;
  if (panel.type === 'stat') return <Numbers panel={panel} frames={frames} {...size} />;
  if (frames.every((frame) => frame.length === 0)) return <div style={{ padding: 24, textAlign: 'center', color: theme.colors.text.secondary }}>{noValue ?? 'No data'}</div>;
  if (panel.type === 'timeseries') return <TimeSeries frames={frames} structureRev={1} timeRange={timeRange} timeZone="utc" legend={panel.options.legend} {...size} />;
  if (panel.type === 'table') return <Table data={frames[0]} initialSortBy={panel.options?.sortBy ?? []} {...size} />;
  if (panel.type === 'state-timeline') return <Bands frames={frames} {...size} />;
  if (panel.type === 'barchart') return <Bars panel={panel} frames={frames} {...size} />;
  return <Heat panel={panel} {...size} />;
}

class Guard extends Component<any, any> {
  state = { error: null as any };
  static getDerivedStateFromError(error) {
    return { error };
  }
  render() {
    return this.state.error ? <pre style={{ color: 'red' }}>{String(this.state.error.stack)}</pre> : this.props.children;
  }
}

// ---------------------------------------------------------------- the page

function Board() {
  const cell = (window.innerWidth - 24) / 24, row = 38;
  return <ThemeContext.Provider value={theme}>
    <GlobalStyles />
    <div style={{ position: 'relative', margin: 16 }}>
      <h3>{board.title}</h3>
      {board.panels.map(({ gridPos: { x, y, w, h }, ...panel }, place) => {
        const width = w * cell - 8, height = h * row - 8;
        const style: any = { position: 'absolute', left: x * cell, top: y * row + 36, width, height };
        return panel.type === 'row' ? <div key={place} style={style}>⌄ {panel.title}</div> : <div key={place} style={style}><Guard>
          <PanelChrome title={panel.title} description={panel.description} width={width} height={height}>
            {(wide, tall) => <Guard><Body panel={panel} width={wide} height={tall} /></Guard>}
          </PanelChrome></Guard></div>;
      })}
    </div>
  </ThemeContext.Provider>;
}

createRoot(document.getElementById('root')!).render(<Board />);
