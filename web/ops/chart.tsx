/** Charts drawn by uPlot: of a named series of the API, or of lines that the page has. */
import { useEffect, useRef, useState } from "preact/hooks";
import uPlot from "uplot";
import "uplot/dist/uPlot.min.css";
import { ApiError, get } from "../shared/api";
import { language } from "../shared/i18n";
import { t } from "./words";

interface Answer {
  unit: string;
  start: number;
  end: number;
  lines: { labels: Record<string, string>; points: [number, number][] }[];
}

export interface Line {
  label: string;
  points: [number, number][];
  /** Drawn in dashes: what is computed, not measured. */
  fitted?: boolean;
}

const COLOURS = ["#6cb6ff", "#3ecf9b", "#f2b84b", "#ff9ec4", "#b79bff", "#7fdbda", "#f0d77a", "#ff8f66"];
const LIMIT = "#ff6b63";
const MOST = COLOURS.length;
const REFRESH_MS = 15_000;
const DAY_S = 86_400;

export interface Shown {
  title: string;
  /** Multiplies what Prometheus holds into `unit`. */
  factor?: number;
  unit: string;
  /** A line across, such as what a receiver needs. */
  limit?: { value: number; label: string };
  /** Fitted lines over the measured ones; the axis of times reaches as far as they do. */
  fitted?: Line[];
}

export interface ChartProps extends Shown {
  series: string;
  site?: string;
  link?: string;
  range: number;
  label: (labels: Record<string, string>) => string;
}

/** A named series of a site or a link, asked again every fifteen seconds. */
export function Chart({ series, site = "", link = "", range, label, ...shown }: ChartProps) {
  const [answer, setAnswer] = useState<Answer | null>(null);
  const [problem, setProblem] = useState("");
  useEffect(() => {
    let gone = false;
    const load = (): void => {
      const query = new URLSearchParams({ site, link, range_s: String(range) });
      get<Answer>(`/api/series/${series}?${query}`).then(
        (found) => {
          if (gone) return;
          setAnswer(found);
          setProblem("");
        },
        (error: unknown) => !gone && setProblem(error instanceof ApiError ? error.message : String(error)),
      );
    };
    load();
    const timer = window.setInterval(load, REFRESH_MS);
    return () => {
      gone = true;
      window.clearInterval(timer);
    };
  }, [series, site, link, range]);

  const lines = (answer?.lines ?? []).filter((line) => line.points.length > 0).slice(0, MOST);
  if (!answer || lines.length === 0)
    return (
      <figure class="chart">
        <Caption {...shown} />
        <p class="quiet">{problem || (answer ? t("noData") : t("connecting"))}</p>
      </figure>
    );
  return <Lines {...shown} lines={lines.map((line) => ({ label: label(line.labels), points: line.points }))} start={answer.start} end={answer.end} />;
}

const Caption = ({ title, unit }: { title: string; unit: string }) => (
  <figcaption>
    {title} <small>{unit}</small>
  </figcaption>
);

/** Lines that the page has already; times are seconds UTC. */
export function Lines({ title, unit, factor = 1, limit, fitted = [], lines, start, end }: Shown & { lines: Line[]; start: number; end: number }) {
  const until = Math.max(end, ...fitted.flatMap((line) => line.points.map(([at]) => at)));
  const across: Line[] = limit ? [{ label: limit.label, fitted: true, points: [[start, limit.value / factor], [until, limit.value / factor]] }] : [];
  return (
    <figure class="chart">
      <Caption title={title} unit={unit} />
      <Plot lines={[...lines, ...fitted, ...across]} limited={across.length > 0} factor={factor} start={start} end={until} />
      <ul class="chart-legend">
        {[...lines, ...fitted].map((line, index) => (
          <li key={index}>
            <svg viewBox="0 0 14 4" aria-hidden="true">
              <path d="M0 2H14" stroke={COLOURS[index % MOST]} stroke-width="3" stroke-dasharray={line.fitted ? "3 2" : undefined} />
            </svg>
            {line.label} {!line.fitted && <b class="figures">{round((line.points.at(-1)?.[1] ?? 0) * factor)}</b>}
          </li>
        ))}
        {limit && (
          <li>
            <svg viewBox="0 0 14 4" aria-hidden="true">
              <path d="M0 2H14" stroke={LIMIT} stroke-width="3" stroke-dasharray="3 2" />
            </svg>
            {limit.label} <b class="figures">{round(limit.value)}</b>
          </li>
        )}
      </ul>
    </figure>
  );
}

const round = (value: number): string =>
  Math.abs(value) >= 100 ? value.toFixed(0) : Math.abs(value) >= 10 ? value.toFixed(1) : value.toFixed(2);

/** Points of all lines on one axis of times, with gaps where a line has none; fitted lines go straight on. */
function table(lines: Line[], factor: number): uPlot.AlignedData {
  const times = [...new Set(lines.flatMap((line) => line.points.map(([at]) => at)))].sort((a, b) => a - b);
  const columns = lines.map((line) => {
    const values = new Map(line.points);
    return times.map((at) => {
      const value = values.get(at);
      // uPlot draws over what is undefined, and leaves a gap at null.
      return value === undefined ? (line.fitted ? undefined : null) : value * factor;
    });
  });
  return [times, ...columns];
}

interface PlotProps {
  lines: Line[];
  limited: boolean;
  factor: number;
  start: number;
  end: number;
}

function Plot({ lines, limited, factor, start, end }: PlotProps) {
  const place = useRef<HTMLDivElement>(null);
  useEffect(() => {
    const element = place.current;
    if (!element) return;
    const style = getComputedStyle(document.documentElement);
    const scale = parseFloat(style.fontSize) / 16;
    const height = Math.round(150 * scale);
    const axis = {
      stroke: style.getPropertyValue("--ink-faint"),
      font: `${Math.round(12 * scale)}px ${style.getPropertyValue("--font")}`,
      grid: { stroke: "#1f2c39", width: 1 },
      ticks: { show: false },
    };
    const days = end - start > 2 * DAY_S;
    const plot = new uPlot(
      {
        width: element.clientWidth,
        height,
        legend: { show: false },
        cursor: { drag: { x: false, y: false } },
        scales: { x: { range: [start, end] } },
        axes: [
          { ...axis, values: days ? "{MM}-{DD}" : "{HH}:{mm}", space: 70 * scale, size: 28 * scale },
          { ...axis, size: 56 * scale },
        ],
        series: [
          {},
          ...lines.map((line, index) => ({
            stroke: limited && index === lines.length - 1 ? LIMIT : (COLOURS[index % MOST] ?? "#fff"),
            width: 1.75,
            points: { show: false },
            ...(line.fitted && { dash: [6, 5] }),
          })),
        ],
      },
      table(lines, factor),
      element,
    );
    const observer = new ResizeObserver(() => plot.setSize({ width: element.clientWidth, height }));
    observer.observe(element);
    return () => {
      observer.disconnect();
      plot.destroy();
    };
  }, [lines, limited, factor, start, end, language.value]);
  return <div ref={place} class="plot" />;
}
