/** Quantities of the figures in words: the unit says how a number is read. */
import { language, say } from "../../shared/i18n";
import { duration, rate } from "../format";
import { LIMITS, unitWords } from "./words-lead";

/** A number and its unit, apart, so that the number can stand large; a null value is unknown. */
export function quantity(value: number | null, unit: string): [text: string, unit: string] {
  if (value === null) return [unitWords("unknown"), ""];
  if (unit === "ratio") return [`${percent(value)} %`, ""];
  if (unit === "bit/s") return apart(rate(value));
  if (unit === "s") return apart(duration(value));
  if (unit.startsWith("CNY")) return money(value, unit);
  const text = Number.isInteger(value) ? String(value) : value.toFixed(value < 10 ? 2 : 1);
  return [text, unitWords(unit)];
}

function percent(value: number): string {
  const share = value * 100;
  if (share > 99 && share < 100) return (Math.floor(share * 1000) / 1000).toFixed(3); // 99.999 is not 100
  return share >= 10 || share === 0 ? share.toFixed(share % 1 === 0 ? 0 : 1) : share.toFixed(2);
}

/** Chinese counts money in 万 (ten thousands), English in thousands and millions. */
function money(value: number, unit: string): [string, string] {
  const each = unit.slice("CNY".length);
  if (language.value === "zh") {
    const large = Math.abs(value) >= 10_000;
    const text = large ? trim(value / 10_000) : trim(value);
    return [text, `${large ? "万元" : "元"}${each ? "/年" : ""}`];
  }
  const text = Math.abs(value) >= 1e6 ? `${trim(value / 1e6)} M` : value.toLocaleString("en-GB");
  return [text, `CNY${each ? " a year" : ""}`];
}

const trim = (value: number): string => value.toFixed(2).replace(/\.?0+$/, "");

function apart(text: string): [string, string] {
  const [number = "", ...rest] = text.split(" ");
  return [number, rest.join(" ")];
}

/** A time limit as supervision.yml writes it ("4wh") in words; any other text as it is. */
export function limitWords(text: string): string {
  const found = /^(\d+)(m|h|d|wm|wh|wd)$/.exec(text);
  const pair = found ? LIMITS[found[2] ?? ""] : undefined;
  return pair ? say(pair, { n: found?.[1] ?? "" }) : text;
}
