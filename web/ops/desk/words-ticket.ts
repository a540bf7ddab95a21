/** Words of tickets, reports and the shift log. */
import { words, type Pair } from "../../shared/i18n";

export const t = words({
  left: ["还剩 {time}", "{time} left"],
  over: ["超时 {time}", "{time} over"],
  waitingClock: ["等待中,暂停计时", "Waiting, clock stands"],
  clockOff: ["不计时", "No clock"],
  closed: ["已办结", "Closed"],
  "late-response": ["响应超时", "Late answer"],
  yellow: ["黄牌", "Yellow card"],
  red: ["红牌", "Red card"],
});

export const KIND: Record<string, Pair> = { fault: ["故障", "Fault"], report: ["报障", "Report"], request: ["申请", "Request"] };
