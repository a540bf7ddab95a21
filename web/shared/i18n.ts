/**
 * Two languages, Chinese first. A page writes its words once as pairs and reads them through `words()`;
 * everything that reads `language` is drawn again when the reader switches.
 *
 *     const t = words({ join: ["加入会议", "Join"], seats: ["{n} 个座位", "{n} seats"] });
 *     t("join"); t("seats", { n: 40 });
 */
import { effect, signal } from "@preact/signals";

export type Language = "zh" | "en";
export type Pair = readonly [zh: string, en: string];

const KEY = "sanwang.language";

function remembered(): Language {
  try {
    return localStorage.getItem(KEY) === "en" ? "en" : "zh";
  } catch {
    return "zh"; // storage may be denied: the page still works, in Chinese
  }
}

/** The language of the page. */
export const language = signal<Language>(remembered());

effect(() => {
  document.documentElement.lang = language.value === "zh" ? "zh-CN" : "en";
  try {
    localStorage.setItem(KEY, language.value);
  } catch {
    // not remembered, and nothing else is lost
  }
});

/** Switch to the other language and remember it. */
export function switchLanguage(): void {
  language.value = language.value === "zh" ? "en" : "zh";
}

/** The pair's text in the page's language, `{name}` replaced from `values`. */
export function say(pair: Pair, values: Record<string, string | number> = {}): string {
  const text = pair[language.value === "zh" ? 0 : 1];
  return text.replace(/\{(\w+)\}/g, (whole, name: string) => (name in values ? String(values[name]) : whole));
}

/** A reader of one page's words; an unknown key does not compile. */
export function words<K extends string>(table: Record<K, Pair>) {
  return (key: K, values?: Record<string, string | number>): string => say(table[key], values);
}

/** The name of a thing that the county's model names in both languages. */
export function named(thing: { zh: string; en: string }): string {
  return language.value === "zh" ? thing.zh : thing.en;
}
