/**
 * A list: sorted by a press on a column's head, filtered as one types ("f" goes to the field), in pages of fifty. A row with
 * `href` is opened by Enter or a press. On a phone each row is a small card, so nothing is wider than the screen.
 */
import type { ComponentChildren } from "preact";
import { useEffect, useRef, useState } from "preact/hooks";
import { press } from "../../shared/focus";
import { typing } from "../shell/keys";
import { Empty } from "./show";
import { t } from "./words";

export interface Column<R> {
  head: string;
  cell: (row: R) => ComponentChildren;
  /** What the column is sorted by; without it its head cannot be pressed. Empty values come last. */
  sort?: (row: R) => string | number | null;
  /** Figures stand at the right. */
  figures?: boolean;
}

export interface TableProps<R> {
  rows: readonly R[];
  columns: readonly Column<R>[];
  id: (row: R) => string;
  /** Where a row leads, as "#/path"; "" nowhere. */
  href?: (row: R) => string;
  /** Instead of a place, what a press does. */
  open?: (row: R) => void;
  /** Text that the filter looks in; without it there is no filter. */
  filter?: (row: R) => string;
  tone?: (row: R) => string;
  empty: string;
  page?: number;
  /** Column sorted by at first; negative (from -1) for descending: -1 is column 0. */
  sorted?: number;
}

export function Table<R>({ rows, columns, id, href, open, filter, tone, empty, page = 50, sorted }: TableProps<R>) {
  const first = sorted === undefined ? null : sorted < 0 ? { column: -sorted - 1, down: true } : { column: sorted, down: false };
  const [order, setOrder] = useState(first);
  const [words, setWords] = useState("");
  const [start, setStart] = useState(0);
  const field = useRef<HTMLInputElement>(null);
  useEffect(() => {
    if (!filter) return;
    const onKey = (event: KeyboardEvent): void => {
      if (event.key !== "f" || event.ctrlKey || event.metaKey || event.altKey || typing(event)) return;
      event.preventDefault();
      field.current?.focus();
    };
    addEventListener("keydown", onKey);
    return () => removeEventListener("keydown", onKey);
  }, [filter !== undefined]);

  const wanted = words.toLowerCase().split(/\s+/).filter(Boolean);
  const fitting = filter && wanted.length ? rows.filter((row) => wanted.every((word) => filter(row).toLowerCase().includes(word))) : rows;
  const by = order ? columns[order.column]?.sort : undefined;
  const all = by && order ? [...fitting].sort((a, b) => compare(by(a), by(b), order.down)) : fitting;
  const from = start < all.length ? start : 0;
  const shown = all.slice(from, from + page);
  const turn = (column: number): void => setOrder(order?.column === column ? { column, down: !order.down } : { column, down: false });
  const opens = (row: R): (() => void) | undefined => {
    if (open) return () => open(row);
    const place = href?.(row);
    return place ? () => void (location.hash = place) : undefined;
  };
  // A link or a button inside the row acts for itself.
  const own = (event: Event): boolean => event.target instanceof Element && event.target.closest("a, button, input, select") !== null;
  return (
    <div class="list">
      {filter && rows.length > 8 && (
        <input ref={field} class="filter" type="search" placeholder={t("filter")} aria-label={t("filter")} value={words} onInput={(event) => setWords(event.currentTarget.value)} />
      )}
      {all.length === 0 ? (
        <Empty words={rows.length === 0 ? empty : t("nothing")} />
      ) : (
        <table class="data">
          <thead>
            <tr>
              {columns.map((column, index) => (
                <th key={index} class={column.figures ? "num" : undefined} aria-sort={order?.column === index ? (order.down ? "descending" : "ascending") : undefined}>
                  {column.sort ? <button onClick={() => turn(index)}>{column.head}</button> : column.head}
                </th>
              ))}
            </tr>
          </thead>
          <tbody>
            {shown.map((row) => {
              const act = opens(row);
              return (
                <tr
                  key={id(row)}
                  data-row={id(row)}
                  class={`${tone?.(row) ?? ""} ${act ? "opens" : ""}`}
                  {...(act && { tabIndex: 0, role: "link", onClick: (event: Event) => own(event) || act(), onKeyDown: (event: KeyboardEvent) => own(event) || press(act)(event) })}
                >
                  {columns.map((column, index) => (
                    <td key={index} data-head={column.head} class={column.figures ? "num figures" : undefined}>
                      <span class="cell">{column.cell(row)}</span>
                    </td>
                  ))}
                </tr>
              );
            })}
          </tbody>
        </table>
      )}
      {all.length > page && (
        <nav class="turn figures">
          <button disabled={from === 0} onClick={() => setStart(Math.max(0, from - page))}>
            {t("previous")}
          </button>
          <span>{t("ofAll", { from: from + 1, to: from + shown.length, n: all.length })}</span>
          <button disabled={from + page >= all.length} onClick={() => setStart(from + page)}>
            {t("next")}
          </button>
        </nav>
      )}
    </div>
  );
}

function compare(a: string | number | null, b: string | number | null, down: boolean): number {
  if (a === b) return 0;
  if (a === null || a === "") return 1;
  if (b === null || b === "") return -1;
  const order = typeof a === "number" && typeof b === "number" ? a - b : String(a).localeCompare(String(b), "zh-CN");
  return down ? -order : order;
}
