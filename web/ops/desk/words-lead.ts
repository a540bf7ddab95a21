/** Words of the leaders' page, the supervision board, the scores and the monthly report. */
import { say, words, type Pair } from "../../shared/i18n";

export const t = words({
  leaders: ["领导视图", "Overview for leaders"],
  asOf: ["{month} · 截至 {time}", "{month} · as of {time}"],
  pressFigure: ["点任一数字看它怎么来的", "Press a figure to see how it came about"],
  state: ["运行状态", "State"],
  use: ["使用情况", "Use"],
  quality: ["服务质量", "Quality"],
  cost: ["成本效益", "Cost and benefit"],
  formula: ["算法", "Formula"],
  inputs: ["依据", "What it is made of"],
  source: ["来源:{words}", "Source: {words}"],
  readAt: ["取数时间", "Read"],
  fixed: ["随模型", "with the model"],
  why: ["未知原因:{words}", "Unknown because: {words}"],
  itemsN: ["查看 {n} 项", "See all {n}"],
  explain: ["{name}:点开看依据", "{name}: press for its explanation"],
});

const UNITS: Record<string, Pair> = {
  unknown: ["未知", "unknown"],
  sites: ["个站点", "sites"],
  faults: ["起", "faults"],
  meetings: ["场", "meetings"],
  halls: ["个会场", "halls"],
  lines: ["条", "lines"],
  sets: ["套", "sets"],
  h: ["小时", "h"],
  MOS: ["分 (MOS)", "MOS"],
  cards: ["张", "cards"],
  tickets: ["件", "tickets"],
};

/** A unit in words; one without words stands as it is. */
export const unitWords = (unit: string): string => (UNITS[unit] ? say(UNITS[unit]) : unit);
