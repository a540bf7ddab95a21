/** One chart of a named series, drawn by uPlot from what the API gives. */
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

const COLOURS = ["#6cb6ff", "#3ecf9b", "#f2b84b", "#ff9ec4", "#b79bff", "#7fdbda", "#f0d77a", "#ff8f66"];
const MOST = COLOURS.length;
const REFRESH_MS = 15_000;

export interface ChartProps {
  title: string;
  series: string;
  site: string;
  range: number;
  /** Multiplies what Prometheus holds into `unit`. */
  factor?: number;
  unit: string;
  label: (labels: Record<string, string>) => string;
}

export function Chart({ title, series, site, range, factor = 1, unit, label }: ChartProps) {
  const [answer, setAnswer] = useState<Answer | null>(null);
  const [problem, setProblem] = useState("");
  useEffect(() => {
    let gone = false;
    const load = (): void => {
      const query = new URLSearchParams({ site, range_s: String(range) });
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
  }, [series, site, range]);

  const lines = (answer?.lines ?? []).filter((line) => line.points.length > 0).slice(0, MOST);
  return (
    <figure class="chart">
      <figcaption>
        {title} <small>{unit}</small>
      </figcaption>
      {lines.length > 0 && answer ? (
        <>
          <Plot answer={answer} lines={lines} factor={factor} />
          <ul class="chart-legend">
            {lines.map((line, index) => (
              <li key={index}>
                <svg viewBox="0 0 14 4" aria-hidden="true">
                  <path d="M0 2H14" stroke={COLOURS[index]} stroke-width="3" />
                </svg>
                {label(line.labels)} <b class="figures">{round((line.points.at(-1)?.[1] ?? 0) * factor)}</b>
              </li>
            ))}
          </ul>
        </>
      ) : (
        <p class="quiet">{problem || (answer ? t("noData") : t("connecting"))}</p>
      )}
    </figure>
  );
}

const round = (value: number): string =>
  Math.abs(value) >= 100 ? value.toFixed(0) : Math.abs(value) >= 10 ? value.toFixed(1) : value.toFixed(2);

/** Points of all lines on one axis of times, with gaps where a line has none. */
function table(lines: Answer["lines"], factor: number): uPlot.AlignedData {
  const times = [...new Set(lines.flatMap((line) => line.points.map(([at]) => at)))].sort((a, b) => a - b);
  const columns = lines.map((line) => {
    const values = new Map(line.points);
    return times.map((at) => {
      const value = values.get(at);
      return value === undefined ? null : value * factor;
    });
  });
  return [times, ...columns];
}

function Plot({ answer, lines, factor }: { answer: Answer; lines: Answer["lines"]; factor: number }) {
  const place = useRef<HTMLDivElement>(null);
  useEffect(() => {
    const element = place.current;
    if (!element) return;
    const style = getComputedStyle(document.documentElement);
    const axis = { stroke: style.getPropertyValue("--ink-faint"), grid: { stroke: "#1f2c39", width: 1 }, ticks: { show: false } };
    const plot = new uPlot(
      {
        width: element.clientWidth,
        height: 150,
        legend: { show: false },
        cursor: { drag: { x: false, y: false } },
        scales: { x: { range: [answer.start, answer.end] } },
        axes: [{ ...axis, values: "{HH}:{mm}", space: 70 }, { ...axis, size: 52 }],
        series: [{}, ...lines.map((_, index) => ({ stroke: COLOURS[index] ?? "#fff", width: 1.75, points: { show: false } }))],
      },
      table(lines, factor),
      element,
    );
    const observer = new ResizeObserver(() => plot.setSize({ width: element.clientWidth, height: 150 }));
    observer.observe(element);
    return () => {
      observer.disconnect();
      plot.destroy();
    };
  }, [answer, lines.length, factor, language.value]);
  return <div ref={place} class="plot" />;
}
