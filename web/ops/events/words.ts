import { words } from "../../shared/i18n";

export const t = words({
  title: ["事件", "Events"],
  sub: ["代理、系统日志、SNMP 陷阱与故障的统一记录，保存六个月，每六小时加封", "One record of agents, syslog, SNMP traps and faults; kept for six months, sealed every six hours"],
  words: ["包含文字", "Holding the words"],
  subject: ["链路或设备", "Link or host"],
  kind: ["类别", "Kind"],
  all: ["全部", "All"],
  span: ["时间范围", "Span"],
  hour: ["一小时", "One hour"],
  day: ["一天", "One day"],
  week: ["一周", "One week"],
  month: ["一个月", "One month"],
  half: ["六个月", "Six months"],
  at: ["时间", "Time"],
  what: ["内容", "What"],
  repeated: ["（另有 {n} 条相同）", "(and {n} the same)"],
  none: ["这段时间内没有这样的事件", "No such event in this span"],
  more: ["更早的事件", "Older events"],
});
