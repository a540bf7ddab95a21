/** Numbers and times as people read them. */
import { language, named } from "../shared/i18n";
import type { Site } from "./types";

export function rate(bps: number): string {
  if (bps >= 1e9) return `${trim(bps / 1e9)} Gbit/s`;
  if (bps >= 1e6) return `${trim(bps / 1e6)} Mbit/s`;
  return `${trim(bps / 1e3)} kbit/s`;
}

const trim = (value: number): string => (value >= 100 ? value.toFixed(0) : value.toFixed(1).replace(/\.0$/, ""));

export function duration(seconds: number): string {
  const zh = language.value === "zh";
  const whole = Math.max(0, Math.round(seconds));
  if (whole < 90) return zh ? `${whole} 秒` : `${whole} s`;
  if (whole < 5400) return zh ? `${Math.round(whole / 60)} 分钟` : `${Math.round(whole / 60)} min`;
  if (whole < 172_800) return zh ? `${Math.round(whole / 3600)} 小时` : `${Math.round(whole / 3600)} h`;
  return zh ? `${Math.round(whole / 86_400)} 天` : `${Math.round(whole / 86_400)} days`;
}

const two = (value: number): string => String(value).padStart(2, "0");

export function time(seconds: number, withSeconds = true): string {
  const date = new Date(seconds * 1000);
  return `${two(date.getHours())}:${two(date.getMinutes())}${withSeconds ? `:${two(date.getSeconds())}` : ""}`;
}

export function day(seconds: number): string {
  const date = new Date(seconds * 1000);
  return language.value === "zh"
    ? `${date.getMonth() + 1}月${date.getDate()}日`
    : date.toLocaleDateString("en-GB", { day: "numeric", month: "short" });
}

/** At most `most` names, then how many more there are. */
export function list(names: string[], most = 4): string {
  const shown = names.slice(0, most).join(language.value === "zh" ? "、" : ", ");
  const rest = names.length - most;
  if (rest <= 0) return shown;
  return language.value === "zh" ? `${shown}等 ${names.length} 个` : `${shown} and ${rest} more`;
}

const SHORT = / (Bureau|Town|Township|Commission|Centre|Estate|Village|government network)$/;

/** A name that fits the map: English names lose the word that their kind already says. */
export function shortName(site: Site): string {
  const name = named(site);
  if (language.value === "zh") return name.replace(/(.{2,})政务网$/, "$1网");
  return name.replace(SHORT, "").replace(/^County /, "");
}

/** A name in at most two lines of about `width` characters. */
export function twoLines(name: string, width: number): string[] {
  if (name.length <= width) return [name];
  const parts = name.split(/(?<=[\s-])/);
  if (parts.length === 1) {
    const half = Math.ceil(name.length / 2);
    return [name.slice(0, half), name.slice(half)];
  }
  let first = "";
  while (parts.length > 1 && (first + parts[0]).trim().length <= width) first += parts.shift();
  first ||= parts.shift() ?? "";
  const second = parts.join("").trim();
  return [first.trim(), second.length > width ? `${second.slice(0, width - 1).trim()}…` : second];
}

/** A vendor's long port name as its own short listings print it: GE1/0/8, XGE1/0/25. */
export const shortPort = (name: string): string =>
  name.replace(/^(Ten-?|X)GigabitEthernet ?/, "XGE").replace(/^GigabitEthernet ?/, "GE");
